/** How a task looks once an order is carried out, before the server has told so. */
import type { Order, Run, Task } from '../../shared/tasks';

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
