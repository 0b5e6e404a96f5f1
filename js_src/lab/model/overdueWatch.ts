import type { Task } from '../../shared/tasks';

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
