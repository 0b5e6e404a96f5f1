/** States, runs and rules in words. */
import type { Policies, Run, RunState, TaskState } from '../../shared/rest';
import type { ApiError } from '../model';
import { durationWords, instantWords } from './time';
import type { Trans } from './trans';

export function stateWords(state: RunState | TaskState, trans: Trans): string {
  switch (state) {
    case 'scheduled':
      return trans.__('scheduled');
    case 'running':
      return trans.__('running');
    case 'paused':
      return trans.__('paused');
    case 'finished':
      return trans.__('finished');
    case 'queued':
      return trans.__('queued');
    case 'succeeded':
      return trans.__('succeeded');
    case 'failed':
      return trans.__('failed');
    case 'skipped':
      return trans.__('skipped');
    case 'missed':
      return trans.__('missed');
    case 'lost':
      return trans.__('lost');
    default:
      return state; // Of a newer server.
  }
}

/** A state, and how often if that is not once: `missed 99 times`. */
export function stateTimes({ state, count }: Pick<Run, 'state' | 'count'>, trans: Trans): string {
  const words = stateWords(state, trans);
  return count === 1 ? words : trans.__('%1 %2', words, timesWords(count, trans));
}

/** `99 times`; null is more often than was counted. */
export function timesWords(count: number | null, trans: Trans): string {
  return count === null ? trans.__('many times') : trans._n('%1 time', '%1 times', count);
}

/** What was missed or skipped, when and why. */
export function gapWords(run: Run, trans: Trans, locale?: string): string {
  const span =
    run.until === run.due
      ? instantWords(run.due, locale)
      : trans.__('from %1 to %2', instantWords(run.due, locale), instantWords(run.until, locale));
  return trans.__('%1, %2', runWords(run, trans), span);
}

/** What became of a run, in one line: `failed: ValueError: no such file`, `missed 99 times: …`. */
export function runWords(
  run: Pick<Run, 'state' | 'count' | 'error' | 'reason'>,
  trans: Trans,
): string {
  const state = stateTimes(run, trans);
  const why = run.error ?? reasonWords(run.reason, trans);
  return why ? trans.__('%1: %2', state, why.trim().split('\n', 1)[0]) : state;
}

/** How long a run took, or has been going, in ms; null if it never began. */
export function durationOf(run: Run, nowMs: number): number | null {
  if (run.started_at === null) {
    return null;
  }
  const endMs = run.ended_at === null ? nowMs : Date.parse(run.ended_at);
  return Math.max(0, endMs - Date.parse(run.started_at));
}

function reasonWords(reason: string | null, trans: Trans): string | null {
  switch (reason) {
    case 'timeout':
      return trans.__('took longer than it may');
    case 'cancelled':
      return trans.__('cancelled');
    default:
      return reason; // A sentence of the server's.
  }
}

/** The rules of a task that are worth a word: name and value. */
export function policyWords(policies: Policies, trans: Trans): { label: string; text: string }[] {
  const { overlap, misfire, timeout_us, retries, threaded, process } = policies;
  const overlaps = {
    skip: trans.__('skipped'),
    queue: trans.__('waits, one at most'),
    allow: trans.__('runs beside it'),
  };
  const misfires = { run: trans.__('runs once, later'), skip: trans.__('skipped') };
  const rows: [string, string | false][] = [
    [trans.__('While another run goes on'), overlaps[overlap] ?? overlap],
    [trans.__('If it was missed'), misfires[misfire] ?? misfire],
    [trans.__('May take'), timeout_us !== null && durationWords(timeout_us / 1000, trans)],
    [trans.__('After a failure'), retries > 0 && trans._n('%1 more try', '%1 more tries', retries)],
    [trans.__('Runs in'), process ? trans.__('its own process') : threaded && trans.__('a thread')],
  ];
  return rows.flatMap(([label, text]) => (text === false ? [] : [{ label, text }]));
}

/** Why something was not done, for the user. */
export function errorWords({ status, kind, message }: ApiError, trans: Trans): string {
  if (status === 0) {
    return trans.__('The server does not answer.');
  }
  if (status === 403) {
    return trans.__('You may not do that here.');
  }
  switch (kind) {
    case 'silent_kernel':
      return trans.__('The kernel does not answer.');
    case 'no_such_task':
      return trans.__('This task is no longer there.');
    case 'no_such_session':
      return trans.__('This session has ended.');
    default:
      return message;
  }
}
