import type { Order, Run, RunState, Task } from '../../shared/rest';
import type { ApiError } from './interfaces';
import { Ledger, type Outcome } from './pendingActions';

/** A task as it is shown; a new object only when something of it has changed. */
export interface TaskRow {
  readonly key: string;
  /** What the server told, with what is under way laid over it. */
  readonly task: Task;
  /** Ordered, and not answered yet. */
  readonly pending: Order | null;
  /** Why the last order was refused. */
  readonly refusal: ApiError | null;
}

/** Unique among the tasks of the server and of all kernels. */
export function taskKey(name: string, kernelId: string | null = null): string {
  return `${kernelId ?? ''}/${name}`;
}

const OPEN_STATES: readonly RunState[] = ['queued', 'running'];

export function isOpen(run: Run): boolean {
  return OPEN_STATES.includes(run.state);
}

/** True if the last run has failed or was lost, or the code of the schedule has ended the task. */
export function hasFailed(task: Task): boolean {
  return task.last_state === 'failed' || task.last_state === 'lost' || task.ended_by !== null;
}

/** An order, and what the task was like before it. */
export interface TaskOrdered {
  readonly order: Order;
  readonly runCount: number;
  readonly runId: number | null;
}

export function ordered(order: Order, task: Task | undefined): TaskOrdered {
  return { order, runCount: task?.run_count ?? 0, runId: task?.run?.id ?? null };
}

/** The task as it will be; null if it will be gone. */
export function withOrder(task: Task, { order }: TaskOrdered): Task | null {
  switch (order) {
    case 'pause':
      return task.state === 'paused' ? task : { ...task, state: 'paused', next_run: null };
    case 'resume':
      return task.state === 'paused'
        ? { ...task, state: task.run ? 'running' : 'scheduled' }
        : task;
    case 'run':
      return task.state === 'paused' ? task : { ...task, state: 'running' };
    case 'cancel':
      return null;
  }
}

/** True if the task that the server has told, undefined for none, has obeyed. */
export function hasObeyed(
  task: Task | undefined,
  { order, runCount, runId }: TaskOrdered,
): boolean {
  if (task === undefined) {
    return true; // Cancelled, by us or by somebody else.
  }
  switch (order) {
    case 'pause':
      return task.state === 'paused';
    case 'resume':
      return task.state !== 'paused';
    case 'run':
      return task.run_count > runCount || (task.run != null && task.run.id !== runId);
    case 'cancel':
      return false;
  }
}

/** True if a run that was ordered was dropped because another one is going. */
export function isDropped(answer: unknown): boolean {
  const { state, due } = (answer ?? {}) as Partial<Run>;
  return due !== undefined && (state === 'skipped' || state === 'missed');
}

/** News come within a fraction of a second. */
const PATIENCE_MS = 2000;

/** A kernel whose loop is kept by a cell obeys when the cell has ended. */
const PATIENCE_WITH_KERNELS_MS = 60_000;

/** Tasks as the server told them, with what is under way, by key. */
export class TaskRows {
  private readonly tasks = new Map<string, Task>();
  private readonly rows = new Map<string, TaskRow | null>();
  private readonly ledger: Ledger<TaskOrdered>;

  /** @param onChange - Called when a row has changed that the server has not told of. */
  constructor(onChange: () => void) {
    this.ledger = new Ledger<TaskOrdered>({
      isSame: (one, other) => one.order === other.order,
      isTold: (key, action, answer) => isDropped(answer) || hasObeyed(this.tasks.get(key), action),
      patienceMs: (answer) =>
        (answer as { done?: boolean } | null)?.done === false
          ? PATIENCE_WITH_KERNELS_MS
          : PATIENCE_MS,
      onChange: (key) => {
        this.rows.delete(key);
        onChange();
      },
    });
  }

  /** Those that the server has told, whether they are shown or not. */
  get keys(): IterableIterator<string> {
    return this.tasks.keys();
  }

  /** As the server told it. */
  told(key: string): Task | undefined {
    return this.tasks.get(key);
  }

  /** As it is shown; null if it is not, or will be gone. */
  row(key: string): TaskRow | null {
    let row = this.rows.get(key);
    if (row === undefined) {
      row = this.make(key);
      this.rows.set(key, row);
    }
    return row;
  }

  /** Returns whether that is news. */
  set(key: string, task: Task): boolean {
    const known = this.tasks.get(key);
    if (known && (known === task || JSON.stringify(known) === JSON.stringify(task))) {
      return false;
    }
    this.tasks.set(key, task);
    if (known) {
      this.ledger.told(key);
    } else {
      this.ledger.gone(key); // That was said of another one under the name.
    }
    this.rows.delete(key);
    return true;
  }

  delete(key: string): void {
    this.tasks.delete(key);
    this.ledger.gone(key);
    this.rows.delete(key);
  }

  /** Orders something of a task, and shows it as done. */
  perform<Answer>(
    key: string,
    order: Order,
    send: () => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    return this.ledger.perform(key, ordered(order, this.tasks.get(key)), send);
  }

  dismiss(key: string): void {
    this.ledger.dismiss(key);
  }

  dispose(): void {
    this.ledger.dispose();
  }

  private make(key: string): TaskRow | null {
    const told = this.tasks.get(key);
    const action = this.ledger.action(key);
    const task = told && action ? withOrder(told, action) : told;
    return task
      ? {
          key,
          task,
          pending: action && this.ledger.isPending(key) ? action.order : null,
          refusal: this.ledger.refusal(key),
        }
      : null;
  }
}
