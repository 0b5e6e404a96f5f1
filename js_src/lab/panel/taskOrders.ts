/** What comes of orders, said to the user. */
import type { KernelAnswer, Order, Run } from '../../shared/tasks';
import { isDropped, type TaskRow } from '../model';
import { errorWords, runWords, type Trans } from '../words';
import type { Surroundings } from './surroundings';

/** Orders something of a task, and says what came of it. */
export async function orderTask(
  { model, state, trans }: Surroundings,
  { key, task }: TaskRow,
  order: Order,
): Promise<void> {
  const outcome = await model.perform(task, order);
  if (!outcome.ok) {
    state.announce(trans.__('%1: %2', task.name, errorWords(outcome.error, trans)));
  } else if (order === 'run' && isDropped(outcome.answer)) {
    const words = runWords(outcome.answer as Run, trans);
    state.setNote(key, words);
    state.announce(trans.__('%1: %2', task.name, words));
  } else if ((outcome.answer as KernelAnswer).done === false) {
    state.announce(laterWords(order, task.name, trans));
  } else {
    state.announce(doneWords(order, task.name, trans));
  }
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

/** The kernel's loop is kept by a cell. */
function laterWords(order: Order, name: string, trans: Trans): string {
  switch (order) {
    case 'run':
      return trans.__('%1 runs when the cell has ended.', name);
    case 'pause':
      return trans.__('%1 is paused when the cell has ended.', name);
    case 'resume':
      return trans.__('%1 is resumed when the cell has ended.', name);
    case 'cancel':
      return trans.__('%1 is cancelled when the cell has ended.', name);
  }
}
