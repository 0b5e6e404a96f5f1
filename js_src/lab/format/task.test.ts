import { describe, expect, test } from 'vitest';
import { english } from '../../testing/english';
import { aRun, aTask, NOW } from '../../testing/samples';
import { ApiError } from '../model';
import { durationOf, errorWords, gapWords, policyWords, runWords, stateWords } from './task';
import { spanWords } from './time';

test.each([
  [aRun(1, 'a'), 'succeeded'],
  [aRun(1, 'a', { state: 'failed', error: 'ValueError: no\n  more' }), 'failed: ValueError: no'],
  [aRun(1, 'a', { state: 'failed', reason: 'timeout' }), 'failed: took longer than it may'],
  [aRun(1, 'a', { state: 'failed', reason: 'cancelled' }), 'failed: cancelled'],
  [aRun(1, 'a', { state: 'failed', error: '' }), 'failed'],
  [aRun(1, 'a', { state: 'lost', reason: 'the worker ended' }), 'lost: the worker ended'],
  [aRun(1, 'a', { state: 'missed', count: 99, reason: 'too late' }), 'missed 99 times: too late'],
  [aRun(1, 'a', { state: 'skipped', count: null }), 'skipped many times'],
])('%#: %s', (run, words) => {
  expect(runWords(run, english)).toBe(words);
});

test('what was missed or skipped says when', () => {
  const until = '2026-11-22T20:01:39Z';
  const gap = aRun(1, 'a', { state: 'missed', count: 99, reason: 'too late', until });
  expect(gapWords(gap, english, 'en-GB')).toMatch(
    /^missed 99 times: too late, from .*:00:00 to .*:01:39$/,
  );
  const one = aRun(1, 'a', { state: 'skipped' });
  expect(gapWords(one, english, 'en-GB')).toMatch(/^skipped, [^–]*:00:00$/);
});

test('the time of a run is a span where it stands for several', () => {
  const now = Date.parse(NOW);
  const [one, until] = [aRun(1, 'a'), '2026-11-22T20:01:39Z'];
  expect(spanWords(one, now, 'en-GB')).toMatch(/^\d\d:00:00$/);
  expect(spanWords({ ...one, until }, now, 'en-GB')).toMatch(/^\d\d:00:00 – \d\d:01:39$/);
  const later = now + 3 * 86_400_000; // the day and no seconds
  expect(spanWords({ ...one, until: '2026-11-22T20:00:39Z' }, later, 'en-GB')).not.toContain('–');
});

test('every state has a word, a new one of a newer server its own', () => {
  for (const state of [
    'scheduled',
    'running',
    'paused',
    'finished',
    'queued',
    'succeeded',
  ] as const) {
    expect(stateWords(state, english)).toBe(state);
  }
  expect(stateWords('dreaming' as 'queued', english)).toBe('dreaming');
});

test('how long a run takes', () => {
  const now = Date.parse(NOW) + 5000;
  expect(durationOf(aRun(1, 'a', { started_at: null, ended_at: null }), now)).toBeNull();
  expect(durationOf(aRun(1, 'a', { ended_at: '2026-11-22T20:00:01.250000Z' }), now)).toBe(1250);
  expect(durationOf(aRun(1, 'a', { ended_at: null }), now)).toBe(5000);
  expect(durationOf(aRun(1, 'a', { ended_at: null }), now - 60_000)).toBe(0); // clocks
});

test('rules are told where they are worth it', () => {
  const { policies } = aTask('a');
  expect(policyWords(policies, english)).toEqual([
    { label: 'While another run goes on', text: 'skipped' },
    { label: 'If it was missed', text: 'runs once, later' },
  ]);
  const all = { timeout_us: 500_000, retries: 1, process: true, overlap: 'queue' } as const;
  expect(policyWords({ ...policies, ...all }, english).slice(2)).toEqual([
    { label: 'May take', text: '500 ms' },
    { label: 'After a failure', text: '1 more try' },
    { label: 'Runs in', text: 'its own process' },
  ]);
});

describe('errors', () => {
  test.each([
    [new ApiError(0, 'network', 'Failed to fetch'), 'The server does not answer.'],
    [new ApiError(403, 'unknown', 'Forbidden'), 'You may not do that here.'],
    [new ApiError(504, 'silent_kernel', 'x'), 'The kernel does not answer.'],
    [new ApiError(404, 'no_such_task', 'x'), 'This task is no longer there.'],
    [new ApiError(404, 'no_such_session', 'x'), 'This session has ended.'],
    [new ApiError(503, 'store', 'the database is busy'), 'the database is busy'],
  ])('%s', (error, words) => {
    expect(errorWords(error, english)).toBe(words);
  });
});
