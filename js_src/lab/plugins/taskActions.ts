/** What can be ordered of tasks outside of the panel, and how it is asked for and answered. */
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Order, Task } from '../../shared/rest';
import { errorWords } from '../format/task';
import type { NamedTask, SidebarModel, TaskRow } from '../model';

/** Every task of the server, then those of the kernels. */
export function allTasks(model: SidebarModel): readonly TaskRow[] {
  return [...model.tasks.all, ...model.sessions.all.flatMap((session) => session.tasks)];
}

/** True if this user can give an order that makes sense for a task now. */
export function canOrder(model: SidebarModel, task: Task, order: Order): boolean {
  const { writable } = task.kernel_id === null ? model.tasks : model.sessions;
  if (!writable) {
    return false;
  }
  switch (order) {
    case 'pause':
      return task.state === 'scheduled' || task.state === 'running';
    case 'resume':
      return task.state === 'paused';
    case 'run':
      return task.editable;
    case 'cancel':
      return true;
  }
}

/** Asks, as this cannot be undone. */
export async function confirmCancel(
  { name, kernel_id }: NamedTask,
  trans: TranslationBundle,
): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Cancel the task?'),
    body:
      kernel_id === null
        ? trans.__('“%1” will not run any more, and its history goes with it.', name)
        : trans.__('“%1” will not run any more.', name),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep') }),
      Dialog.warnButton({ label: trans.__('Cancel Task') }),
    ],
    defaultButton: 0,
  });
  return button.accept;
}

/** Carries an order out, and says so if it was refused. */
export async function carryOut(
  model: SidebarModel,
  task: NamedTask,
  order: Order,
  trans: TranslationBundle,
): Promise<void> {
  const outcome = await model.perform(task, order);
  if (!outcome.ok) {
    Notification.warning(`${task.name}: ${errorWords(outcome.error, trans)}`, { autoClose: 5000 });
  }
}
