import type { Schedule } from '../../shared/tasks';
import { cronWords, dependsOnZone } from './cron';
import { instantWords } from './instant';
import { everyWords } from './period';
import type { Trans } from './trans';

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
