import * as React from 'react';
import { hasFailed, type TaskRow } from '../model';
import { scheduleWords } from '../words';
import { Icon } from './icon';
import { Progress } from './progress';
import { arrowsToggle, ROW_FOCUS, ROW_HEAD, useTabIndex } from './rowFocus';
import { useSurroundings } from './surroundings';
import { TaskActions } from './taskActions';
import { CountText, LastText, markOf, NextText } from './taskSays';

interface TaskHeadProps {
  readonly row: TaskRow;
  readonly isOpen: boolean;
  readonly isWritable: boolean;
  /** Of what it opens. */
  readonly detailsId: string;
  readonly nameButton: React.RefObject<HTMLButtonElement>;
  readonly onCancel: () => void;
}

/** What is always seen of a task. The name opens the rest; for the mouse all of it does. */
export function TaskHead(props: TaskHeadProps) {
  const { row, isOpen, isWritable, detailsId, nameButton, onCancel } = props;
  const { state } = useSurroundings();
  const { key, task } = row;
  const tabIndex = useTabIndex();
  const says = React.useRef<HTMLDivElement>(null);
  const [spoken, setSpoken] = React.useState('');
  const id = React.useId();
  const isOfSession = task.kernel_id !== null;
  const toggle = () => state.toggleTask(key);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: more room for the mouse, nothing else.
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys have the button in it.
    <div
      className="nbsession-Task-head"
      onClick={(event) => {
        if (!(event.target as HTMLElement).closest('button')) {
          toggle();
        }
      }}
      {...(isOfSession ? {} : ROW_HEAD)}
    >
      <button
        type="button"
        className="nbsession-Task-name"
        ref={nameButton}
        title={task.name}
        aria-expanded={isOpen}
        aria-controls={isOpen ? detailsId : undefined}
        aria-describedby={id}
        tabIndex={tabIndex}
        onClick={toggle}
        onKeyDown={arrowsToggle(isOpen, toggle)}
        onFocus={() => setSpoken(textsOf(says.current))}
        {...(isOfSession ? {} : ROW_FOCUS)}
      >
        <Icon name="caret" />
        <Icon name={markOf(task)} />
        <span>{task.name}</span>
      </button>
      {/* As it was when the focus came: some screen readers say a description again as it changes,
          and a countdown always does. */}
      <span id={id} hidden>
        {spoken}
      </span>
      {isWritable && <TaskActions row={row} onCancel={onCancel} />}
      <TaskSays row={row} element={says} />
      {(task.run || task.state === 'running') && <Progress task={task} />}
    </div>
  );
}

interface TaskSaysProps {
  readonly row: TaskRow;
  readonly element: React.Ref<HTMLDivElement>;
}

function TaskSays({ row: { task }, element }: TaskSaysProps) {
  const { trans, locale } = useSurroundings();
  const words = scheduleWords(task.schedule, trans, locale);
  return (
    <div className="nbsession-Task-says" ref={element}>
      <span className="nbsession-Task-schedule" title={words}>
        {words}
      </span>
      <span className="nbsession-Task-next">
        <NextText task={task} />
      </span>
      <span className="nbsession-Task-last" data-failed={hasFailed(task)}>
        <LastText task={task} />
      </span>
      <span className="nbsession-Task-count">
        <CountText task={task} />
      </span>
    </div>
  );
}

function textsOf(element: HTMLElement | null): string {
  return [...(element?.children ?? [])]
    .map((child) => (child as HTMLElement).innerText)
    .filter((text) => text !== '')
    .join(', ');
}
