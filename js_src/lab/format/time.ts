import type { Run } from '../../shared/rest';
import type { Trans } from './trans';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The text of a duration: `420 ms`, `1.2 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`; '' for null. */
export function durationWords(ms: number | null, trans: Trans): string {
  if (ms === null || Number.isNaN(ms)) {
    return '';
  }
  if (Math.round(ms) < SECOND) {
    return trans.__('%1 ms', ms > 0 && ms < 9.95 ? short(ms) : Math.round(Math.max(ms, 0)));
  }
  if (ms < 59_950) {
    return trans.__('%1 s', ms < 9950 ? short(ms / SECOND) : Math.round(ms / SECOND));
  }
  return lengthWords(ms, trans);
}

/** The two largest units of a length, without fractions: `3 min 4 s`, `2 h`. */
export function lengthWords(ms: number, trans: Trans): string {
  const unit = ms < HOUR - SECOND / 2 ? SECOND : ms < 2 * DAY - MINUTE / 2 ? MINUTE : HOUR;
  const rest = Math.round(ms / unit) * unit;
  const parts =
    unit === SECOND
      ? [
          [trans.__('%1 min', Math.floor(rest / MINUTE)), rest >= MINUTE],
          [trans.__('%1 s', (rest % MINUTE) / SECOND), rest % MINUTE > 0 || rest < MINUTE],
        ]
      : unit === MINUTE
        ? [
            [trans.__('%1 h', Math.floor(rest / HOUR)), true],
            [trans.__('%1 min', (rest % HOUR) / MINUTE), rest % HOUR > 0],
          ]
        : [
            [trans.__('%1 d', Math.floor(rest / DAY)), true],
            [trans.__('%1 h', (rest % DAY) / HOUR), rest % DAY > 0],
          ];
  return parts
    .filter(([, isShown]) => isShown)
    .map(([text]) => text)
    .join(' ');
}

/** With one decimal, but without `.0`. */
function short(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

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

/** A text about now, and how soon it may be another one. */
export interface Passing {
  readonly text: string;
  /** In ms: what to subscribe to the `Ticker` with. */
  readonly stepMs: number;
}

/** News of a run need a moment: only later than this is it late. */
const LATE_MS = 5 * SECOND;

/** From here on seconds are not told. */
const COARSE_MS = 10 * MINUTE;

/** From here on nobody counts the days. */
const FAR_MS = 60 * DAY;

/** The time left until something is due: `in 42 s`, `in 4 min 5 s`, `in 42 min`, `now`, `late by 2 min`. */
export function countdown(dueMs: number, nowMs: number, trans: Trans, locale?: string): Passing {
  const leftMs = dueMs - nowMs;
  if (leftMs <= -LATE_MS) {
    const { length, stepMs } = coarse(-leftMs, Math.floor, trans);
    return { text: trans.__('late by %1', length), stepMs };
  }
  if (leftMs <= 0) {
    return { text: trans.__('now'), stepMs: SECOND };
  }
  if (leftMs >= FAR_MS) {
    return onDay(dueMs, trans, locale);
  }
  const { length, stepMs } = coarse(leftMs, Math.ceil, trans);
  return { text: trans.__('in %1', length), stepMs };
}

/** The time since something: `just now`, `42 s ago`, `3 min ago`, `5 h 12 min ago`. */
export function ago(thenMs: number, nowMs: number, trans: Trans, locale?: string): Passing {
  const sinceMs = nowMs - thenMs;
  if (sinceMs < SECOND) {
    return { text: trans.__('just now'), stepMs: SECOND };
  }
  if (sinceMs >= FAR_MS) {
    return onDay(thenMs, trans, locale);
  }
  const isShort = sinceMs < MINUTE;
  const roundedMs = isShort ? floorTo(sinceMs, SECOND) : floorTo(sinceMs, MINUTE);
  const text = trans.__('%1 ago', lengthWords(roundedMs, trans));
  return { text, stepMs: isShort ? SECOND : sinceMs < HOUR ? 10 * SECOND : MINUTE };
}

function onDay(ms: number, trans: Trans, locale?: string): Passing {
  return { text: trans.__('on %1', dateWords(ms, locale)), stepMs: HOUR };
}

function coarse(ms: number, round: (units: number) => number, trans: Trans) {
  // A minute's text is looked at more often than it changes, so that it is never much too old.
  const [unit, stepMs] = ms < COARSE_MS ? [SECOND, SECOND] : [MINUTE, 10 * SECOND];
  return { length: lengthWords(round(ms / unit) * unit, trans), stepMs };
}

function floorTo(ms: number, unit: number): number {
  return Math.floor(ms / unit) * unit;
}
