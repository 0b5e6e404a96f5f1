/** What comes of orders, said to the user. */
import type { Order, Run } from '../../shared/tasks';
import type { Outcome, SidebarModel, TaskRow } from '../model';
import { errorWords, runWords, type Trans } from '../words';
import type { Surroundings } from './surroundings';

/** Orders something of a task, and says what came of it. */
export async function orderTask(
  { model, state, trans }: Surroundings,
  { key, task }: TaskRow,
  order: Order,
): Promise<void> {
  const outcome = await send(model, task.kernel_id, task.name, order);
  if (!outcome.ok) {
    state.announce(trans.__('%1: %2', task.name, errorWords(outcome.error, trans)));
    return;
  }
  const { state: runState, due } = (outcome.answer ?? {}) as Partial<Run>;
  const isDropped = due !== undefined && (runState === 'skipped' || runState === 'missed');
  if (order === 'run' && isDropped) {
    const words = runWords(outcome.answer as Run, trans);
    state.setNote(key, words);
    state.announce(trans.__('%1: %2', task.name, words));
  } else {
    state.announce(doneWords(order, task.name, trans));
  }
}

function send(
  { tasks, sessions }: SidebarModel,
  kernelId: string | null,
  name: string,
  order: Order,
): Promise<Outcome<unknown>> {
  return kernelId === null ? tasks.perform(name, order) : sessions.perform(kernelId, name, order);
}

function doneWords(order: Order, name: string, trans: Trans): string {
  switch (order) {
    case 'run':
      return trans.__('%1 runs now.', name);
    case 'pause':
      return trans.__('%1 is paused.', name);
    case 'resume':
      return trans.__('%1 is resumed.', name);
    case 'cancel':
      return trans.__('%1 is cancelled.', name);
  }
}
