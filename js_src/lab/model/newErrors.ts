import type { Session, Task } from '../../shared/tasks';

/** A task of a kernel that has failed since it was told last. */
export interface NewErrors {
  readonly task: Task;
  readonly count: number;
}

/** What has failed in a session since it was as it was before; undefined for no task yet. */
export function newErrors(before: Session | undefined, after: Session): readonly NewErrors[] {
  return after.tasks
    .map((task) => ({ task, count: task.error_count - errorsOf(task, before) }))
    .filter(({ count }) => count > 0);
}

/** Another task under the name counts anew. */
function errorsOf({ id, name }: Task, before: Session | undefined): number {
  return before?.tasks.find((task) => task.id === id && task.name === name)?.error_count ?? 0;
}
