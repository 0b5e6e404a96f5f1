import type { Run } from '../../shared/tasks';

const formats = new Map<string, Intl.DateTimeFormat>();

/** An instant in local time, as in `22 Nov 2026, 09:00:12`; '' for null. */
export function instantWords(iso: string | null, locale?: string): string {
  return format(iso, locale, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** The day of an instant in local time, as in `22 Nov 2026`. */
export function dateWords(ms: number, locale?: string): string {
  return format(new Date(ms).toISOString(), locale, { dateStyle: 'medium' });
}

/**
 * Without the day if that is today, else without the seconds: `09:00:12`, `22 Nov, 09:00`. For
 * columns, which have no room for AM and PM.
 */
export function shortInstant(iso: string | null, nowMs: number, locale?: string): string {
  if (iso === null) {
    return '';
  }
  const [then, now] = [new Date(iso), new Date(nowMs)];
  if (then.toDateString() === now.toDateString()) {
    return format(iso, locale, { timeStyle: 'medium', hourCycle: 'h23' });
  }
  const isThisYear = then.getFullYear() === now.getFullYear();
  return format(iso, locale, {
    ...(isThisYear ? {} : { year: 'numeric' }),
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
}

/** When a run began, or from when to when several occurrences were due; see `shortInstant`. */
export function spanWords(
  run: Pick<Run, 'started_at' | 'due' | 'until'>,
  nowMs: number,
  locale?: string,
): string {
  const first = shortInstant(run.started_at ?? run.due, nowMs, locale);
  const last = run.until === run.due ? first : shortInstant(run.until, nowMs, locale);
  return last === first ? first : `${first} – ${last}`;
}

// To make a format costs a hundred times what it costs to use it.
function format(
  iso: string | null,
  locale: string | undefined,
  options: Intl.DateTimeFormatOptions,
): string {
  const instant = Date.parse(iso ?? '');
  if (Number.isNaN(instant)) {
    return iso ?? '';
  }
  const key = `${locale} ${JSON.stringify(options)}`;
  let known = formats.get(key);
  if (!known) {
    known = new Intl.DateTimeFormat(locale, options);
    formats.set(key, known);
  }
  return known.format(instant);
}
