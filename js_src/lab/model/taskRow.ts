import type { Order, Run, RunState, Task } from '../../shared/tasks';
import type { ApiError } from './apiError';

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
