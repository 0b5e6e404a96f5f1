import { describe, expect, test } from 'vitest';
import type { Schedule } from '../../shared/rest';
import { english } from '../../testing/english';
import { cronWords, everyWords, periodWords, scheduleWords } from './schedule';
import { localeOf } from './trans';

describe('periods', () => {
  test.each([
    ['10m', '10 min'],
    ['1h30m', '1 h 30 min'],
    ['1w', '1 week'],
    ['2w3d', '2 weeks 3 days'],
    ['0.5s', '0.5 s'],
    ['200ms', '200 ms'],
    ['soon', 'soon'], // of a newer server
    ['', ''],
  ])('%s is %s', (period, words) => {
    expect(periodWords(period, english)).toBe(words);
  });

  test.each([
    ['1h', 'every hour'],
    ['1m', 'every minute'],
    ['24h', 'every 24 h'],
    ['1d', 'every day'],
    ['90s', 'every 90 s'],
  ])('how often: %s is %s', (period, words) => {
    expect(everyWords(period, english)).toBe(words);
  });
});

describe('cron', () => {
  test.each([
    ['0 9 * * 1-5', '09:00, Monday through Friday'],
    ['0 9 * * mon-fri', '09:00, Monday through Friday'],
    ['0 9 * * sun', '09:00, on Sunday'],
    ['0 9 * * 7', '09:00, on Sunday'],
    ['@daily', '00:00 every day'],
    ['@DAILY', '00:00 every day'],
    ['0 9,17 * * *', '09:00 and 17:00 every day'],
    ['@hourly', 'every hour'],
    ['*/5 * * * *', 'every 5 minutes'],
    ['0 */2 * * *', 'on the hour, every 2 hours'],
    ['0 9 l * *', '09:00, on the last day of the month'],
    ['0 9 * * fri#2', '09:00, on the second Friday of the month'],
    ['0 9 * * l5', '09:00, on the last Friday of the month'],
    ['0 9 * * l5,l1', '09:00, on the last Friday and Monday of the month'],
    ['0 0 1,15 * mon', '00:00, on day 1 and 15 of the month, and on Monday'],
  ])('%s is %s', (cron, words) => {
    expect(cronWords(cron, english)).toBe(words);
  });

  test.each([
    ['30 9 * * * 15', '09:30:15 every day'],
    ['* * * * * */10', 'every 10 seconds'],
    ['0 9 * * mon 30', '09:00:30, on Monday'],
  ])('the sixth field is the seconds: %s is %s', (cron, words) => {
    expect(cronWords(cron, english)).toBe(words);
  });

  test.each([
    'nonsense',
    '',
    '* * *',
    '0 0 9 * * mon 2030',
    '99 9 * * *',
    '0 9 * * mon#9x',
    '@reboot',
  ])('what has no words is shown as it is: %j', (cron) => {
    expect(cronWords(cron, english)).toBe(`cron ${cron}`);
  });
});

describe('schedules', () => {
  test.each<[Schedule, string]>([
    [{}, 'once, at once'],
    [{ period: '10m' }, 'every 10 min'],
    [{ cron: '0 9 * * 1-5', tz: 'Europe/Berlin' }, '09:00, Monday through Friday, Europe/Berlin'],
    [{ cron: '0 9 * * *', tz: 'local' }, '09:00 every day, local time of the server'],
    [{ cron: '*/5 * * * *', tz: 'Europe/Berlin' }, 'every 5 minutes'], // in every zone
    [{ cron: 'odd', tz: 'UTC' }, 'cron odd, UTC'],
    [{ at: 'callable' }, 'when its callable says'],
    [{ at: 'iterator', tz: 'UTC' }, 'at the times of its iterator, UTC'],
  ])('%j is %s', (schedule, words) => {
    expect(scheduleWords(schedule, english, 'en-GB')).toBe(words);
  });

  test('an instant is in local time and the user’s way', () => {
    const at = new Date(2026, 10, 22, 9, 0, 12).toISOString();
    expect(scheduleWords({ at }, english, 'en-GB')).toBe('once, 22 Nov 2026, 09:00:12');
    expect(scheduleWords({ at, period: '1h' }, english, 'de')).toBe(
      'every hour, from 22.11.2026, 09:00:12',
    );
  });

  test('an instant that is none stays as it is', () => {
    expect(scheduleWords({ at: 'one day' }, english)).toBe('once, one day');
  });
});

test.each([
  ['de_DE', 'de-DE'],
  ['en', 'en'],
  ['zh_CN', 'zh-CN'],
  ['default', 'default'],
  ['', undefined],
  ['no language', undefined],
  [undefined, undefined],
])('the locale of %j is %j', (code, locale) => {
  expect(localeOf(code)).toBe(locale);
});
