import type { Run } from '../../shared/tasks';
import { isOpen } from './taskRow';

const KEPT = 1000;

/** Tells each run that has ended once, however often the server does. */
export class EndedRuns {
  private readonly known = new Set<number>();

  /** Those that have ended and were not told before. */
  news(runs: readonly Run[]): readonly Run[] {
    return runs.filter((run) => !isOpen(run) && this.isNews(run.id));
  }

  private isNews(id: number): boolean {
    if (this.known.has(id)) {
      return false;
    }
    this.known.add(id);
    if (this.known.size > KEPT) {
      const [oldest] = this.known;
      this.known.delete(oldest as number);
    }
    return true;
  }
}
