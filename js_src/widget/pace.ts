/**
 * Lets a number of calls through at once, and later ones at a steady rate.
 *
 * Browsers drop calls of `history.pushState` beyond 200 in 10 s (Safari raises an error), and a
 * slider that writes the URL makes more. Each call lost would be one the kernel believes in.
 */
export class Pace {
  private tokens: number;
  private filledAt: number;

  constructor(
    private readonly now: () => number,
    private readonly burst = 50,
    private readonly intervalMs = 100,
  ) {
    this.tokens = burst;
    this.filledAt = now();
  }

  /** Take a turn; returns 0, or after how many ms to ask again. */
  take(): number {
    const gained = Math.floor((this.now() - this.filledAt) / this.intervalMs);
    this.tokens = Math.min(this.burst, this.tokens + gained);
    this.filledAt += gained * this.intervalMs;
    if (this.tokens === 0) {
      return this.filledAt + this.intervalMs - this.now();
    }
    this.tokens -= 1;
    return 0;
  }
}
