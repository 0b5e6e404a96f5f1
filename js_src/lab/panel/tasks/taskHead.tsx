import * as React from 'react';
import type { Task } from '../../../shared/rest';
import {
  ago,
  countdown,
  durationWords,
  gapWords,
  instantWords,
  scheduleWords,
  stateTimes,
  stateWords,
} from '../../format';
import { hasFailed, type TaskRow } from '../../model';
import { useSurroundings } from '../context';
import { Icon, type IconName } from '../ui/icon';
import { arrowsToggle, ROW_FOCUS, ROW_HEAD, useTabIndex } from '../ui/rowFocus';
import { PassingText } from '../ui/text';
import { TaskActions } from './taskActions';

/** How far a run is; without a number if it does not say. */
export function Progress({ task: { name, run } }: { readonly task: Task }) {
  const { trans } = useSurroundings();
  const progress = run?.progress ?? null;
  const percent = progress === null ? null : Math.round(progress * 100);
  return (
    <div
      className="nbsession-Progress"
      role="progressbar"
      aria-label={trans.__('Progress of %1', name)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent ?? undefined}
      aria-valuetext={run?.progress_text || undefined}
      data-indeterminate={percent === null}
    >
      <div style={percent === null ? {} : { transform: `scaleX(${percent / 100})` }} />
    </div>
  );
}

/** How a task is doing, by shape and colour. */
export function markOf(task: Task): IconName {
  if (task.state === 'running' || task.run) {
    return 'running';
  }
  if (hasFailed(task)) {
    return task.last_state === 'lost' ? 'lost' : 'failed';
  }
  if (task.state === 'paused') {
    return 'paused';
  }
  return task.last_state ?? (task.state === 'finished' ? 'finished' : 'scheduled');
}

/** `in 42 s`, `paused`, `running 42 %`. */
export function NextText({ task }: { readonly task: Task }) {
  const { trans, locale } = useSurroundings();
  const { state, run, next_run } = task;
  if (run?.state === 'queued') {
    return <>{stateWords('queued', trans)}</>;
  }
  if (run?.progress != null) {
    const percent = Math.floor(run.progress * 100);
    return <>{trans.__('running, %1 %', percent)}</>;
  }
  if (run?.started_at) {
    const since = Date.parse(run.started_at);
    const say = (now: number) => {
      const length = durationWords(Math.max(0, Math.floor((now - since) / 1000)) * 1000, trans);
      return { text: trans.__('running, %1', length), stepMs: 1000 };
    };
    return <PassingText say={say} />;
  }
  if (next_run === null || state !== 'scheduled') {
    return <>{stateWords(state, trans)}</>;
  }
  const due = Date.parse(next_run);
  return (
    <time dateTime={next_run} title={instantWords(next_run, locale)}>
      <PassingText say={(now) => countdown(due, now, trans, locale)} />
    </time>
  );
}

/** `succeeded 3 min ago, missed 99 times`; while it runs what the run says of itself. */
export function LastText({ task }: { readonly task: Task }) {
  const { trans, locale } = useSurroundings();
  const { last_state, last_run, ended_by, run, gap } = task;
  if (run?.progress_text) {
    return <>{run.progress_text}</>;
  }
  if (ended_by !== null) {
    return <>{trans.__('schedule failed')}</>;
  }
  if (last_state === null) {
    return <>{trans.__('never ran')}</>;
  }
  const isGap = gap !== undefined && gap.state === last_state;
  return (
    <>
      {isGap ? stateTimes(gap, trans) : stateWords(last_state, trans)}
      {last_run !== null && (
        <time dateTime={last_run} title={instantWords(last_run, locale)} className="nbsession-ago">
          {' '}
          <PassingText say={(now) => ago(Date.parse(last_run), now, trans, locale)} />
        </time>
      )}
      {gap && !isGap && (
        <span className="nbsession-Task-gap" title={gapWords(gap, trans, locale)}>
          {', '}
          {stateTimes(gap, trans)}
        </span>
      )}
    </>
  );
}

/** `128 runs`, and how many of them have failed. */
export function CountText({ task }: { readonly task: Task }) {
  const { trans, locale } = useSurroundings();
  const { run_count, error_count } = task;
  if (run_count === 0) {
    return null;
  }
  const failed = trans._n('%1 failed', '%1 failed', error_count);
  return (
    <>
      {trans._n('%2 run', '%2 runs', run_count, format(run_count, locale))}
      {error_count > 0 && (
        <span className="nbsession-Task-errors" title={failed}>
          {' · '}
          <Icon name="failed" />
          <span className="nbsession-hidden">{failed}</span>
          <span aria-hidden="true">{format(error_count, locale)}</span>
        </span>
      )}
    </>
  );
}

function format(count: number, locale: string | undefined): string {
  return count < 10_000 ? String(count) : count.toLocaleString(locale);
}

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
