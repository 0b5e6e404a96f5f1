import { toString as describe } from 'cronstrue';
import type { Schedule } from '../../shared/rest';
import { instantWords } from './time';
import type { Trans } from './trans';

const ALIASES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const ONLY_TIMES = /^(?:\d\d:\d\d(?::\d\d)?|,| |and)+$/;

/**
 * A cron expression in words: `09:00, Monday through Friday`.
 *
 * The server reads more than cronstrue says; of what it cannot say the text itself is shown.
 */
export function cronWords(cron: string, trans: Trans): string {
  try {
    const words = describe(asCronstrue(cron), {
      use24HourTimeFormat: true,
      throwExceptionOnParseError: true,
    });
    return polished(words, trans);
  } catch {
    return trans.__('cron %1', cron);
  }
}

/** True if the zone makes a difference: not to what follows real time all day. */
export function dependsOnZone(cron: string): boolean {
  const [, hour, day, month, weekday] = fieldsOf(cron);
  return [hour, day, month, weekday].some((field) => field !== '*');
}

/** The server has seconds last, `L5` for the last Friday, and lower case. */
function asCronstrue(cron: string): string {
  const fields = fieldsOf(cron).map((field) => field.toUpperCase());
  if (fields.length !== 5 && fields.length !== 6) {
    throw new RangeError(`${fields.length} fields`);
  }
  const [minute, hour, day, month, weekday, second] = fields as [string, ...string[]];
  const days = weekday?.replace(/\bL(\d|[A-Z]{3})\b/g, '$1L');
  return [second ?? '', minute, hour, day, month, days].join(' ').trim();
}

function fieldsOf(cron: string): string[] {
  const text = cron.trim().toLowerCase();
  return (ALIASES[text] ?? text).split(/\s+/);
}

/** As a part of a sentence; cronstrue speaks English only, as long as it is not given languages. */
function polished(words: string, trans: Trans): string {
  const text = words.replace(/^At (?=\d)/, '').replace(/, only /g, ', ');
  if (ONLY_TIMES.test(text)) {
    return trans.__('%1 every day', text);
  }
  return text.charAt(0).toLowerCase() + text.slice(1);
}

const PERIOD = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;

/** A period of the server's grammar, `1h30m`, in words: `1 h 30 min`. What is none stays as it is. */
export function periodWords(period: string, trans: Trans): string {
  return parts(period, trans).join(' ') || period;
}

/** The text of a period: `every 10 min`, `every hour`. */
export function everyWords(period: string, trans: Trans): string {
  const single: Record<string, string> = {
    '1w': trans.__('every week'),
    '1d': trans.__('every day'),
    '1h': trans.__('every hour'),
    '1m': trans.__('every minute'),
    '1s': trans.__('every second'),
  };
  return single[period] ?? trans.__('every %1', periodWords(period, trans));
}

function parts(period: string, trans: Trans): string[] {
  const [, weeks, days, hours, minutes, seconds, milliseconds] = PERIOD.exec(period) ?? [];
  return [
    weeks && trans._n('%1 week', '%1 weeks', Number(weeks)),
    days && trans._n('%1 day', '%1 days', Number(days)),
    hours && trans.__('%1 h', hours),
    minutes && trans.__('%1 min', minutes),
    seconds && trans.__('%1 s', seconds),
    milliseconds && trans.__('%1 ms', milliseconds),
  ].filter((part): part is string => part !== undefined && part !== '');
}

/** When a task runs: `every 10 min`, `09:00, Monday through Friday, Europe/Berlin`, `once, now`. */
export function scheduleWords(schedule: Schedule, trans: Trans, locale?: string): string {
  const { at, period, cron, tz } = schedule;
  if (at === 'callable' || at === 'iterator') {
    const words =
      at === 'callable'
        ? trans.__('when its callable says')
        : trans.__('at the times of its iterator');
    return tz === undefined ? words : inZone(words, tz, trans);
  }
  const repeated =
    period !== undefined
      ? everyWords(period, trans)
      : cron !== undefined
        ? cronInZone(cron, tz, trans)
        : null;
  if (at === undefined) {
    return repeated ?? trans.__('once, at once');
  }
  const instant = instantWords(at, locale);
  return repeated === null
    ? trans.__('once, %1', instant)
    : trans.__('%1, from %2', repeated, instant);
}

function cronInZone(cron: string, tz: string | undefined, trans: Trans): string {
  const words = cronWords(cron, trans);
  return tz === undefined || !dependsOnZone(cron) ? words : inZone(words, tz, trans);
}

function inZone(words: string, tz: string, trans: Trans): string {
  // The server's own zone, where that has no other name.
  return tz === 'local'
    ? trans.__('%1, local time of the server', words)
    : trans.__('%1, %2', words, tz);
}
