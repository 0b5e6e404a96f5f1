import * as React from 'react';
import { errorWords } from '../../format';
import type { TaskRow } from '../../model';
import { useSurroundings } from '../context';
import { Notice } from '../ui/notice';
import { useSignal } from '../ui/useSignal';
import { ConfirmCancel } from './taskActions';
import { TaskDetails } from './taskDetails';
import { TaskHead } from './taskHead';

interface TaskItemProps {
  readonly row: TaskRow;
  readonly isWritable: boolean;
}

/** One task: a row that opens. It takes part in its list's focus unless it is one of a session. */
export function TaskItem({ row, isWritable }: TaskItemProps) {
  const { state } = useSurroundings();
  const isOpen = useSignal(state.changed, () => state.isTaskOpen(row.key));
  const note = useSignal(state.changed, () => state.note(row.key));
  return <Task row={row} isOpen={isOpen} note={note} isWritable={isWritable} />;
}

interface TaskProps extends TaskItemProps {
  readonly isOpen: boolean;
  /** What came of the user's last action, if that does not show by itself. */
  readonly note: string | null;
}

const Task = React.memo(function Task({ row, isOpen, note, isWritable }: TaskProps) {
  const { model, trans } = useSurroundings();
  const { key, task, refusal } = row;
  const [isConfirming, setConfirming] = React.useState(false);
  const nameButton = React.useRef<HTMLButtonElement>(null);
  const id = React.useId();
  const owner = task.kernel_id === null ? model.tasks : model.sessions;
  const endConfirming = () => {
    setConfirming(false);
    nameButton.current?.focus();
  };
  return (
    <div
      className="nbsession-Task"
      data-state={task.state}
      data-pending={row.pending ?? undefined}
      data-open={isOpen}
      data-name={task.name}
    >
      <TaskHead
        row={row}
        isOpen={isOpen}
        isWritable={isWritable}
        detailsId={id}
        nameButton={nameButton}
        onCancel={() => setConfirming(true)}
      />
      {isConfirming && isWritable && <ConfirmCancel row={row} onDone={endConfirming} />}
      {refusal && (
        <Notice
          kind="error"
          text={errorWords(refusal, trans)}
          onDismiss={() => owner.dismiss(key)}
        />
      )}
      {note !== null && <Notice kind="info" text={note} />}
      {isOpen && (
        <div className="nbsession-Task-details" id={id}>
          <TaskDetails row={row} />
        </div>
      )}
    </div>
  );
});
