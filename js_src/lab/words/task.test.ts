import { describe, expect, test } from 'vitest';
import { ApiError } from '../model';
import { aRun, aTask, NOW } from '../model/samples';
import { english } from './english';
import { errorWords } from './error';
import { durationOf, policyWords, runWords, stateWords } from './task';

test.each([
  [aRun(1, 'a'), 'succeeded'],
  [aRun(1, 'a', { state: 'failed', error: 'ValueError: no\n  more' }), 'failed: ValueError: no'],
  [aRun(1, 'a', { state: 'failed', reason: 'timeout' }), 'failed: took longer than it may'],
  [aRun(1, 'a', { state: 'failed', reason: 'cancelled' }), 'failed: cancelled'],
  [aRun(1, 'a', { state: 'failed', error: '' }), 'failed'],
  [aRun(1, 'a', { state: 'lost', reason: 'the worker ended' }), 'lost: the worker ended'],
])('%#: %s', (run, words) => {
  expect(runWords(run, english)).toBe(words);
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
