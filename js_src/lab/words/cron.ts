import { toString as describe } from 'cronstrue';
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
