import { type ISignal, Signal } from '@lumino/signaling';
import type { Run } from '../../shared/rest';
import { ApiError, type TaskApi } from './interfaces';
import { isOpen } from './taskRow';

/** How many runs are shown. */
export const HISTORY_LENGTH = 50;

/** The last runs of one global task, kept up to date while somebody looks at them. */
export class RunHistory {
  /** The newest first. */
  runs: readonly Run[] = [];
  loading = false;
  error: ApiError | null = null;

  private readonly signal = new Signal<this, void>(this);
  private readonly heard = new Map<number, Run>();
  private asked = 0;
  private disposed = false;

  /** @param onDispose - Called once nobody looks any more. */
  constructor(
    readonly task: string,
    private readonly api: Pick<TaskApi, 'listRuns' | 'showRun'>,
    private readonly onDispose: (history: RunHistory) => void,
  ) {}

  get changed(): ISignal<this, void> {
    return this.signal;
  }

  /** Reads the list anew. What went wrong is in `error`. */
  async load(): Promise<void> {
    this.asked += 1;
    const asked = this.asked;
    this.loading = true;
    this.heard.clear();
    this.emit();
    try {
      const { runs } = await this.api.listRuns(this.task, HISTORY_LENGTH);
      if (asked === this.asked) {
        this.error = null;
        this.runs = merged(withTextsOf(runs, this.runs), this.heard.values());
      }
    } catch (error) {
      if (asked === this.asked) {
        this.error = ApiError.of(error);
      }
    }
    if (asked === this.asked) {
      this.loading = false;
      this.emit();
    }
  }

  /** Takes in what was heard of this task's runs. */
  apply(runs: readonly Run[]): void {
    for (const run of runs) {
      this.heard.set(run.id, run);
    }
    this.runs = merged(this.runs, runs);
    this.emit();
  }

  /** A run with its output and traceback. Rejects with an `ApiError`. */
  async text(runId: number): Promise<Run> {
    const known = this.runs.find((run) => run.id === runId);
    if (known && hasText(known) && !isOpen(known)) {
      return known;
    }
    const run = await this.api.showRun(this.task, runId);
    if (this.runs.some((each) => each.id === runId)) {
      this.runs = merged(this.runs, [run]);
      this.emit();
    }
    return run;
  }

  dispose(): void {
    if (!this.disposed) {
      this.disposed = true;
      this.asked += 1;
      Signal.clearData(this);
      this.onDispose(this);
    }
  }

  private emit(): void {
    if (!this.disposed) {
      this.signal.emit();
    }
  }
}

function hasText(run: Run): boolean {
  return run.output !== undefined;
}

/** Rows with what others that were told later say of them; the newest first, no more than are shown. */
function merged(rows: readonly Run[], later: Iterable<Run>): readonly Run[] {
  const runs = new Map(rows.map((run) => [run.id, run]));
  for (const run of later) {
    const known = runs.get(run.id);
    if (known && !isOpen(known) && !isOpen(run) && isLonger(run, known)) {
      runs.set(run.id, { ...known, ...run });
      continue;
    }
    // What has ended stays so: such news are from before the list was read.
    if (!known || isOpen(known) || (!isOpen(run) && (hasText(run) || !hasText(known)))) {
      runs.set(run.id, run);
    }
  }
  return [...runs.values()].sort((a, b) => b.id - a.id).slice(0, HISTORY_LENGTH);
}

/** True if more occurrences have joined a row of what was missed or skipped. */
function isLonger(run: Run, known: Run): boolean {
  return Date.parse(run.until ?? '') > Date.parse(known.until ?? '');
}

/** Rows with the texts that were read before, if the server leaves them out of lists. */
function withTextsOf(rows: readonly Run[], before: readonly Run[]): readonly Run[] {
  const texts = new Map(before.filter(hasText).map((run) => [run.id, run]));
  return rows.map((run) => {
    const known = texts.get(run.id);
    return known && !hasText(run) && known.state === run.state && !isLonger(run, known)
      ? known
      : run;
  });
}
