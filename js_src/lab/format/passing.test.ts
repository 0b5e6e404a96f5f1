import { describe, expect, test } from 'vitest';
import { english } from '../../testing/english';
import { ago, countdown, durationWords, shortInstant } from './time';

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const;
const NOW = Date.parse('2026-11-22T20:00:00Z');

test.each([
  [null, ''],
  [Number.NaN, ''],
  [0, '0 ms'],
  [0.42, '0.4 ms'],
  [420.4, '420 ms'],
  [999.6, '1 s'],
  [1240, '1.2 s'],
  [9990, '10 s'],
  [59_960, '1 min'],
  [184_000, '3 min 4 s'],
  [2 * HOUR + 5 * MINUTE, '2 h 5 min'],
  [HOUR - 1, '1 h'],
  [3 * DAY + 4 * HOUR, '3 d 4 h'],
  [-5, '0 ms'], // clocks
])('%s ms took %j', (ms, words) => {
  expect(durationWords(ms, english)).toBe(words);
});

describe('countdown', () => {
  test.each([
    [42 * SECOND, 'in 42 s', SECOND],
    [41_001, 'in 42 s', SECOND],
    [1, 'in 1 s', SECOND],
    [0, 'now', SECOND],
    [-4999, 'now', SECOND],
    [-8 * SECOND, 'late by 8 s', SECOND],
    [60 * SECOND, 'in 1 min', SECOND],
    [4 * MINUTE + 5 * SECOND, 'in 4 min 5 s', SECOND],
    [42 * MINUTE - 1, 'in 42 min', 10 * SECOND],
    [HOUR, 'in 1 h', 10 * SECOND],
    [5 * HOUR + 12 * MINUTE, 'in 5 h 12 min', 10 * SECOND],
    [12 * DAY, 'in 12 d', 10 * SECOND],
    [60 * DAY - 1, 'in 60 d', 10 * SECOND],
    [1135 * DAY, 'on 31 Dec 2029', HOUR],
    [-3 * DAY, 'late by 3 d', 10 * SECOND],
  ])('%s ms: %s', (ms, text, stepMs) => {
    expect(countdown(NOW + ms, NOW, english, 'en-GB')).toEqual({ text, stepMs });
  });
});

test.each([
  [-500, 'just now', SECOND],
  [0, 'just now', SECOND],
  [42 * SECOND + 900, '42 s ago', SECOND],
  [3 * MINUTE + 50 * SECOND, '3 min ago', 10 * SECOND],
  [5 * HOUR + 12 * MINUTE, '5 h 12 min ago', MINUTE],
  [4 * DAY, '4 d ago', MINUTE],
  [400 * DAY, 'on 18 Oct 2025', HOUR],
])('%s ms since: %s', (ms, text, stepMs) => {
  expect(ago(NOW - ms, NOW, english, 'en-GB')).toEqual({ text, stepMs });
});

test('an instant of today has no day, one of another year has the year', () => {
  const now = new Date(2026, 10, 22, 20).getTime();
  const at = (...parts: [number, number, number, number, number]) =>
    shortInstant(new Date(...parts).toISOString(), now, 'en-GB');
  expect(at(2026, 10, 22, 9, 5)).toBe('09:05:00');
  expect(at(2026, 10, 21, 9, 5)).toBe('21 Nov, 09:05');
  expect(at(2025, 10, 21, 9, 5)).toBe('21 Nov 2025, 09:05');
  expect(shortInstant(null, now)).toBe('');
  const evening = new Date(2026, 10, 22, 21, 5).toISOString();
  expect(shortInstant(evening, now, 'en-US')).toBe('21:05:00');
});
