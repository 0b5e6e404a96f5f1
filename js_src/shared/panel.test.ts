import { describe, expect, test } from 'vitest';
import {
  addressOf,
  type CallbackRow,
  notesOf,
  parsePeriod,
  type TaskRow,
  taskNotesOf,
} from './panel';

const ROW: CallbackRow = {
  id: '1',
  name: 'update',
  period: 500,
  running: true,
  counter: 0,
  count: null,
  timeout: null,
  skipped: 0,
  last_error: null,
};

describe('parsePeriod', () => {
  test.each([
    ['1', 1],
    [' 500 ', 500],
    ['1e3', 1000],
  ])('%j', (text, period) => {
    expect(parsePeriod(text)).toBe(period);
  });

  test.each(['', ' ', '0', '-5', '1.5', 'soon', 'NaN', 'Infinity', '1e300', '²'])('%j', (text) => {
    expect(parsePeriod(text)).toBe('A period is a whole number of ms, at least 1.');
  });
});

test('an address is path, query and hash', () => {
  expect(addressOf({ pathname: '/a b', search: '?x=1', hash: '#top', href: 'no' })).toBe(
    '/a b?x=1#top',
  );
  expect(addressOf({ pathname: '/', search: null })).toBe('/');
  expect(addressOf({})).toBe('');
});

test('notes say only what there is to say', () => {
  expect(notesOf(ROW)).toBe('');
  expect(notesOf({ ...ROW, skipped: 3, count: 10, timeout: 5000 })).toBe(
    '3 skipped · 10 per start · ends after 5000 ms',
  );
});

test('notes of a task say when it is due', () => {
  const task: TaskRow = {
    name: 'chores',
    schedule: 'every 1h',
    state: 'scheduled',
    next_run: '2027-01-31T09:00:00Z',
    run_count: 0,
    error_count: 0,
  };
  expect(taskNotesOf(task, 'en-GB')).toMatch(/^every 1h · scheduled · next \d\d\/01\/2027, /);
  expect(taskNotesOf({ ...task, state: 'paused', next_run: null })).toBe('every 1h · paused');
  expect(taskNotesOf({ ...task, next_run: null, gap: 'missed 99 times' })).toBe(
    'every 1h · scheduled · missed 99 times',
  );
});
