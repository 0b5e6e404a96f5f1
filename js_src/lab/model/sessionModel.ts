import { type ISignal, Signal } from '@lumino/signaling';
import type {
  CallbackChange,
  Changes,
  KernelAnswer,
  Order,
  Session,
  SessionListing,
  Task,
} from '../../shared/rest';
import { filtered, type SessionFilter } from './filter';
import type { Notebooks, SessionApi } from './interfaces';
import type { Outcome } from './pendingActions';
import { CallbackStates, callbackKey, type SessionRow, titleOf } from './sessionRow';
import type { Refused } from './taskModel';
import { TaskRows, taskKey } from './taskRow';

/** A task of a kernel that has failed since it was told last. */
export interface NewErrors {
  readonly task: Task;
  readonly count: number;
}

/** The failures of a session since its state before; undefined for no task yet. */
export function newErrors(before: Session | undefined, after: Session): readonly NewErrors[] {
  return after.tasks
    .map((task) => ({ task, count: task.error_count - errorsOf(task, before) }))
    .filter(({ count }) => count > 0);
}

/** Another task under the name counts anew. */
function errorsOf({ id, name }: Task, before: Session | undefined): number {
  return before?.tasks.find((task) => task.id === id && task.name === name)?.error_count ?? 0;
}

/** The sessions with their periodic callbacks and tasks, and what is ordered of these. */
export class SessionModel {
  /** True if the list has been read. */
  loaded = false;
  /** True if this user may change things. */
  writable = false;

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly refusedSignal = new Signal<this, Refused>(this);
  private readonly failedSignal = new Signal<this, NewErrors>(this);
  /** The oldest first. */
  private readonly sessions = new Map<string, Session>();
  private readonly rows = new Map<string, SessionRow>();
  private readonly taskRows = new TaskRows(() => this.forget());
  private readonly callbacks = new CallbackStates(() => this.forget());
  private allRows: readonly SessionRow[] | null = null;
  private visibleRows: readonly SessionRow[] | null = null;
  private wanted: SessionFilter = { text: '', state: 'all', onlyLinked: true };

  constructor(
    private readonly api: SessionApi,
    private readonly notebooks: Notebooks,
  ) {
    notebooks.changed.connect(this.forget, this);
  }

  /** Emitted when anything that is shown has changed. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** Emitted when an order was refused. */
  get refused(): ISignal<this, Refused> {
    return this.refusedSignal;
  }

  /** Emitted when a task that a kernel runs itself has failed while we listen. */
  get taskFailed(): ISignal<this, NewErrors> {
    return this.failedSignal;
  }

  /** The oldest first. The same array until something changes, as with `visible`. */
  get all(): readonly SessionRow[] {
    this.allRows ??= [...this.sessions.values()].map((session) => this.row(session));
    return this.allRows;
  }

  /** What the filter lets through. */
  get visible(): readonly SessionRow[] {
    this.visibleRows ??= filtered(this.all, this.wanted);
    return this.visibleRows;
  }

  get filter(): SessionFilter {
    return this.wanted;
  }

  set filter(filter: SessionFilter) {
    this.wanted = filter;
    this.choose();
  }

  find(kernelId: string): SessionRow | null {
    const session = this.sessions.get(kernelId);
    return session ? this.row(session) : null;
  }

  /** Starts or stops a periodic callback, or gives it another period. */
  async setCallback(
    kernelId: string,
    id: string,
    change: CallbackChange,
  ): Promise<Outcome<KernelAnswer>> {
    const send = () => this.api.setCallback(kernelId, id, change);
    const key = callbackKey(kernelId, id);
    const name = this.callbacks.told(key)?.name ?? id;
    const outcome = await this.callbacks.perform(key, change, send);
    return this.checked(name, kernelId, outcome);
  }

  /** Orders something of a task that a kernel runs itself. */
  async perform(kernelId: string, name: string, order: Order): Promise<Outcome<KernelAnswer>> {
    const send = () => this.api.orderSessionTask(kernelId, name, order);
    const outcome = await this.taskRows.perform(taskKey(name, kernelId), order, send);
    return this.checked(name, kernelId, outcome);
  }

  /** Forgets why the last order was refused. */
  dismiss(key: string): void {
    this.taskRows.dismiss(key);
    this.callbacks.dismiss(key);
  }

  /** Takes in the list. */
  list({ sessions, writable }: SessionListing): void {
    this.loaded = true;
    this.writable = writable;
    const before = new Map(this.sessions);
    const failures: NewErrors[] = [];
    this.sessions.clear(); // They come in their order.
    for (const session of sessions) {
      const known = before.get(session.kernel_id);
      if (known) {
        failures.push(...newErrors(known, session));
      }
      this.set(session, known);
      before.delete(session.kernel_id);
    }
    for (const session of before.values()) {
      this.end(session);
    }
    this.tell(failures);
  }

  /** Takes in what has changed. */
  apply({ sessions, ended }: Pick<Changes, 'sessions' | 'ended'>): void {
    if (sessions.length + ended.length === 0) {
      return;
    }
    const failures: NewErrors[] = [];
    for (const session of sessions) {
      const before = this.sessions.get(session.kernel_id);
      if (before || this.loaded) {
        failures.push(...newErrors(before, session));
      }
      this.set(session, before);
    }
    for (const kernelId of ended) {
      const session = this.sessions.get(kernelId);
      if (session) {
        this.end(session);
      }
    }
    this.tell(failures);
  }

  dispose(): void {
    this.notebooks.changed.disconnect(this.forget, this);
    this.taskRows.dispose();
    this.callbacks.dispose();
    Signal.clearData(this);
  }

  private set(session: Session, before: Session | undefined): void {
    const isSame = before && JSON.stringify(before) === JSON.stringify(session);
    this.sessions.set(session.kernel_id, isSame ? before : session);
    if (isSame) {
      return;
    }
    this.rows.delete(session.kernel_id);
    const [taskKeys, callbackKeys] = keysOf(session);
    const [tasksBefore, callbacksBefore] = before ? keysOf(before) : [[], []];
    session.tasks.forEach((task, index) => {
      this.taskRows.set(taskKeys[index] as string, task);
    });
    session.callbacks.forEach((callback, index) => {
      this.callbacks.set(callbackKeys[index] as string, callback);
    });
    for (const key of tasksBefore.filter((each) => !taskKeys.includes(each))) {
      this.taskRows.delete(key);
    }
    for (const key of callbacksBefore.filter((each) => !callbackKeys.includes(each))) {
      this.callbacks.delete(key);
    }
  }

  private end(session: Session): void {
    this.set({ ...session, tasks: [], callbacks: [] }, session);
    this.sessions.delete(session.kernel_id);
    this.rows.delete(session.kernel_id);
  }

  private row(session: Session): SessionRow {
    const { kernel_id } = session;
    let row = this.rows.get(kernel_id);
    if (!row) {
      const notebook = this.notebooks.find(kernel_id);
      const [taskKeys, callbackKeys] = keysOf(session);
      row = {
        key: kernel_id,
        session,
        title: titleOf(session, notebook),
        path: notebook?.path ?? null,
        callbacks: callbackKeys.map((key) => this.callbacks.state(key)).filter((s) => s !== null),
        tasks: taskKeys.map((key) => this.taskRows.row(key)).filter((r) => r !== null),
      };
      this.rows.set(kernel_id, row);
    }
    return row;
  }

  private checked<Answer>(
    what: string,
    kernelId: string,
    outcome: Outcome<Answer>,
  ): Outcome<Answer> {
    if (!outcome.ok) {
      this.refusedSignal.emit({ what, kernelId, error: outcome.error });
    }
    return outcome;
  }

  private tell(failures: readonly NewErrors[]): void {
    this.choose(true);
    for (const failure of failures) {
      this.failedSignal.emit(failure);
    }
  }

  /** Makes all rows anew: something has changed that the sessions do not tell. */
  private forget(): void {
    this.rows.clear();
    this.choose(true);
  }

  private choose(haveRowsChanged = false): void {
    if (haveRowsChanged) {
      this.allRows = null;
    }
    this.visibleRows = null;
    this.changedSignal.emit();
  }
}

function keysOf({ kernel_id, tasks, callbacks }: Session): readonly [string[], string[]] {
  return [
    tasks.map((task) => taskKey(task.name, kernel_id)),
    callbacks.map((callback) => callbackKey(kernel_id, callback.id)),
  ];
}
