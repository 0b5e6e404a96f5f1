import * as React from 'react';
import type { KernelAnswer, Order, Run, Task } from '../../../shared/rest';
import { errorWords, runWords, type Trans } from '../../format';
import { isDropped, type TaskRow } from '../../model';
import { type Surroundings, useSurroundings } from '../context';
import { IconButton } from '../ui/buttons';
import { useTabIndex } from '../ui/rowFocus';

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

interface TaskActionsProps {
  readonly row: TaskRow;
  readonly onCancel: () => void;
}

/** What can be ordered of a task; to cancel it has to be confirmed first. */
export function TaskActions({ row, onCancel }: TaskActionsProps) {
  const surroundings = useSurroundings();
  const { trans } = surroundings;
  const { name, state, editable } = row.task;
  const isPaused = state === 'paused';
  const busy = row.pending !== null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms.
    <div className="nbsession-Task-actions" role="group" aria-label={trans.__('Actions: %1', name)}>
      {editable && (
        <IconButton
          icon="run"
          title={trans.__('Run now')}
          label={trans.__('Run now: %1', name)}
          busy={busy}
          onClick={() => void orderTask(surroundings, row, 'run')}
        />
      )}
      {state !== 'finished' && (
        <IconButton
          key="pause" // The same button: it keeps the focus when it becomes the other one.
          icon={isPaused ? 'resume' : 'pause'}
          title={isPaused ? trans.__('Resume') : trans.__('Pause')}
          label={isPaused ? trans.__('Resume: %1', name) : trans.__('Pause: %1', name)}
          busy={busy}
          onClick={() => void orderTask(surroundings, row, isPaused ? 'resume' : 'pause')}
        />
      )}
      <IconButton
        icon="cancel"
        title={trans.__('Cancel…')}
        label={trans.__('Cancel: %1', name)}
        busy={busy}
        onClick={onCancel}
      />
    </div>
  );
}

interface ConfirmCancelProps {
  readonly row: TaskRow;
  readonly onDone: () => void;
}

/** Asks in place; the focus is on the answer that does nothing. */
export function ConfirmCancel({ row, onDone }: ConfirmCancelProps) {
  const surroundings = useSurroundings();
  const { trans } = surroundings;
  const tabIndex = useTabIndex();
  const keep = React.useRef<HTMLButtonElement>(null);
  React.useLayoutEffect(() => keep.current?.focus(), []);
  const question = questionOf(row.task, trans);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms.
    <div
      className="nbsession-Confirm"
      role="group"
      aria-label={trans.__('%1: %2', row.task.name, question)}
      onKeyDown={(event) => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onDone();
        }
      }}
    >
      <span>{question}</span>
      {row.task.owner !== null && (
        <span className="nbsession-muted">
          {trans.__('Its setup script makes it again when it runs next.')}
        </span>
      )}
      <span className="nbsession-Confirm-answers">
        <button
          type="button"
          className="nbsession-Button nbsession-mod-warn"
          tabIndex={tabIndex}
          onClick={() => {
            onDone();
            void orderTask(surroundings, row, 'cancel');
          }}
        >
          {row.task.state === 'finished' ? trans.__('Remove') : trans.__('Cancel task')}
        </button>
        <button
          type="button"
          className="nbsession-Button"
          ref={keep}
          tabIndex={tabIndex}
          onClick={onDone}
        >
          {trans.__('Keep')}
        </button>
      </span>
    </div>
  );
}

/** A kernel keeps no history of its tasks. */
function questionOf({ kernel_id, state }: Task, trans: Trans): string {
  if (kernel_id !== null) {
    return state === 'finished' ? trans.__('Remove it?') : trans.__('Cancel it?');
  }
  return state === 'finished'
    ? trans.__('Remove it and its history?')
    : trans.__('Cancel it and delete its history?');
}
