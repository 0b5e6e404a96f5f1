const SAMPLES = 20;

/** A sample that is this much lower is no slow answer: one of the two clocks was set. */
const SET_MS = 2000;

/**
 * The server's time, by this page's clock.
 *
 * What the server says of its clock is old when it arrives, never too new: of the last few sayings the
 * one that is ahead of the others is the closest to the truth.
 */
export class ServerClock {
  private readonly samples: number[] = [];
  private best = 0;

  constructor(private readonly local: () => number = Date.now) {}

  /** Ms since the epoch. */
  now(): number {
    return this.local() + this.best;
  }

  /** In ms, to be added to this page's clock. */
  get offset(): number {
    return this.best;
  }

  /** Takes in what the server has just said of its clock, in ISO 8601. */
  note(serverNow: string): void {
    const sample = Date.parse(serverNow) - this.local();
    if (Number.isNaN(sample)) {
      return;
    }
    if (this.samples.length > 0 && sample < this.best - SET_MS) {
      this.samples.length = 0;
    }
    this.samples.push(sample);
    if (this.samples.length > SAMPLES) {
      this.samples.shift();
    }
    this.best = Math.max(...this.samples);
  }
}
