import type { Page } from './sources';

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
