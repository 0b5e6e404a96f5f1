/** The three short texts of a task's row: what it does now or next, what was last, and how often. */
import * as React from 'react';
import type { Task } from '../../shared/tasks';
import { hasFailed } from '../model';
import {
  ago,
  countdown,
  durationWords,
  gapWords,
  instantWords,
  stateTimes,
  stateWords,
} from '../words';
import { Icon, type IconName } from './icon';
import { PassingText } from './passingText';
import { useSurroundings } from './surroundings';

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
