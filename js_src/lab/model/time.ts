import type { Task } from '../../shared/rest';
import type { Page } from './interfaces';

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

/** News of a run come within a second. */
const GRACE_MS = 10_000;
const MOST_MS = 600_000;

/** A timer cannot wait longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Notices that no news come although a run should have begun.
 *
 * A socket whose other end is gone without a word (a laptop that slept, a proxy that forgot) looks open
 * for many minutes. Asks at every turn half as often, for the server may have its reasons to be late.
 */
export class OverdueWatch {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private waitMs = GRACE_MS;
  private disposed = false;

  /**
   * @param now - The server's time.
   * @param tasks - Those that this server runs, as it has told them.
   * @param onOverdue - Called when one of them should have run.
   */
  constructor(
    private readonly now: () => number,
    private readonly tasks: () => Iterable<Task>,
    private readonly onOverdue: () => void,
  ) {}

  /** To be called when there was news. */
  heard(): void {
    this.waitMs = GRACE_MS;
    this.plan();
  }

  /** To be called when the tasks were read anew. */
  plan(): void {
    clearTimeout(this.timer);
    const next = this.next();
    if (next !== null && !this.disposed) {
      const inMs = Math.max(next - this.now(), 0) + this.waitMs;
      this.timer = setTimeout(() => this.look(), Math.min(inMs, LONGEST_TIMER_MS));
    }
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
  }

  private look(): void {
    const next = this.next();
    if (next !== null && next + GRACE_MS / 2 < this.now()) {
      this.waitMs = Math.min(this.waitMs * 2, MOST_MS);
      this.onOverdue();
    }
    this.plan();
  }

  private next(): number | null {
    let next: number | null = null;
    for (const { next_run, editable, state } of this.tasks()) {
      if (next_run !== null && editable && state === 'scheduled') {
        const due = Date.parse(next_run);
        next = next === null || due < next ? due : next;
      }
    }
    return next;
  }
}

interface Subscription {
  readonly slot: (now: number) => void;
  readonly everyMs: number;
  due: number;
}

/** Whoever is due this soon is told together with the others: one drawing for many countdowns. */
const TOGETHER_MS = 200;

/**
 * Tells whatever counts down that time has passed.
 *
 * There is one timer, and none while nobody subscribes or nobody can see the page.
 */
export class Ticker {
  private readonly subscriptions = new Set<Subscription>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private timerDue = Number.POSITIVE_INFINITY;

  /**
   * @param now - The time that slots are given, in ms.
   * @param page - Of which it is known whether it can be seen.
   */
  constructor(
    private readonly now: () => number,
    private readonly page: Page | null = null,
  ) {
    page?.addEventListener('visibilitychange', this.onVisibility);
  }

  /** Calls from now on, at most as often as this; returns what ends it. */
  subscribe(slot: (now: number) => void, everyMs: number): () => void {
    const subscription: Subscription = { slot, everyMs, due: Date.now() + everyMs };
    this.subscriptions.add(subscription);
    this.plan();
    return () => {
      this.subscriptions.delete(subscription);
      if (this.subscriptions.size === 0) {
        this.rest();
      }
    };
  }

  dispose(): void {
    this.subscriptions.clear();
    this.rest();
    this.page?.removeEventListener('visibilitychange', this.onVisibility);
  }

  private readonly onVisibility = (): void => {
    if (this.page?.hidden) {
      this.rest();
    } else if (this.subscriptions.size > 0) {
      this.tell(Number.POSITIVE_INFINITY);
    }
  };

  private plan(): void {
    if (this.page?.hidden || this.subscriptions.size === 0) {
      return;
    }
    let due = Number.POSITIVE_INFINITY;
    for (const subscription of this.subscriptions) {
      due = Math.min(due, subscription.due);
    }
    if (due >= this.timerDue) {
      return; // That timer plans anew.
    }
    this.rest();
    this.timerDue = due;
    this.timer = setTimeout(
      () => this.tell(Date.now() + TOGETHER_MS),
      Math.max(0, due - Date.now()),
    );
  }

  private tell(until: number): void {
    this.rest();
    const [local, now] = [Date.now(), this.now()];
    for (const subscription of [...this.subscriptions]) {
      // One that has ended because of the ones before it is not told any more.
      if (subscription.due <= until && this.subscriptions.has(subscription)) {
        subscription.due = local + subscription.everyMs;
        subscription.slot(now);
      }
    }
    this.plan();
  }

  private rest(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.timerDue = Number.POSITIVE_INFINITY;
  }
}
