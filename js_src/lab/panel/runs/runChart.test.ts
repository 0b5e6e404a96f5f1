import { describe, expect, test } from 'vitest';
import type { Run, RunState } from '../../../shared/rest';
import { aRun } from '../../../testing/samples';
import { barsOf, summaryOf } from './runChart';

const START = Date.parse('2026-11-22T20:00:00Z');

function lasting(id: number, ms: number, more: Partial<Run> = {}): Run {
  return aRun(id, 'report', {
    started_at: new Date(START).toISOString(),
    ended_at: new Date(START + ms).toISOString(),
    ...more,
  });
}

const skipped = (id: number) =>
  aRun(id, 'report', { state: 'skipped', started_at: null, ended_at: null });

describe('bars', () => {
  test('none without runs', () => {
    expect(barsOf([], START)).toEqual([]);
  });

  test('the oldest first, the newest at the right edge', () => {
    const bars = barsOf([lasting(2, 1000), lasting(1, 4000)], START);
    expect(bars.map(({ run }) => run.id)).toEqual([1, 2]);
    expect(bars[1]?.x).toBeCloseTo(0.98);
    expect(bars[0]?.x).toBeCloseTo(0.96);
  });

  test('as high as they took long', () => {
    const bars = barsOf([lasting(3, 1000), lasting(2, 4000), lasting(1, 0)], START);
    expect(bars.map(({ height }) => height)).toEqual([0.05, 1, 0.25]);
  });

  test('one that goes on is as long as it has been', () => {
    const [bar] = barsOf([lasting(1, 0, { state: 'running', ended_at: null })], START + 3000);
    expect(bar?.duration).toBe(3000);
  });

  test('one that goes on is no measure for the others', () => {
    const open = lasting(3, 0, { state: 'running', ended_at: null });
    const bars = barsOf([open, lasting(2, 1000), lasting(1, 4000)], START + 60_000);
    expect(bars.map(({ height }) => height)).toEqual([1, 0.25, 1]);
  });

  test('one that never began has no height', () => {
    expect(barsOf([skipped(2), lasting(1, 100)], START)[1]).toMatchObject({
      duration: null,
      height: 0,
    });
  });

  test('fifty at the most', () => {
    const bars = barsOf(
      Array.from({ length: 60 }, (_, index) => lasting(60 - index, 1)),
      START,
    );
    expect(bars).toHaveLength(50);
    expect(bars.at(-1)?.run.id).toBe(60);
    expect(bars[0]?.x).toBeCloseTo(0);
  });
});

describe('the summary', () => {
  test('counts states, the most frequent first', () => {
    const runs = [lasting(3, 1, { state: 'failed' }), lasting(2, 1), lasting(1, 1)];
    expect(summaryOf(runs)).toMatchObject({
      count: 3,
      states: [
        ['succeeded', 2],
        ['failed', 1],
      ],
    });
  });

  test('counts what was missed or skipped by the occurrences', () => {
    const gap = (id: number, state: RunState, count: number | null) =>
      lasting(id, 0, { state, count, started_at: null });
    const runs = [gap(4, 'missed', 99), lasting(3, 1), gap(2, 'missed', 2), gap(1, 'skipped', 5)];
    expect(summaryOf(runs)).toMatchObject({
      count: 4,
      states: [['succeeded', 1]],
      gaps: [
        ['missed', 101],
        ['skipped', 5],
      ],
    });
    const many = [gap(4, 'missed', 99), gap(3, 'missed', null), gap(2, 'missed', 1)];
    expect(summaryOf(many).gaps).toEqual([['missed', null]]);
  });

  test.each([
    [[1000], 1000, 1000],
    [[3000, 1000, 2000], 2000, 3000],
    [[1000, 4000], 2500, 4000],
    [[], null, null],
  ])('of %j ms', (durations, median, longest) => {
    const runs = [...durations.map((ms, index) => lasting(index, ms)), skipped(99)];
    expect(summaryOf(runs)).toMatchObject({ median, longest });
  });

  test('leaves out what still goes on', () => {
    const open = lasting(1, 0, { state: 'running', ended_at: null });
    expect(summaryOf([open])).toMatchObject({ count: 1, median: null });
  });
});
