import { lengthWords } from './duration';
import { dateWords } from './instant';
import type { Trans } from './trans';

/** A text about now, and how soon it may be another one. */
export interface Passing {
  readonly text: string;
  /** In ms: what to subscribe to the `Ticker` with. */
  readonly stepMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** News of a run need a moment: only later than this is it late. */
const LATE_MS = 5 * SECOND;

/** From here on seconds are not told. */
const COARSE_MS = 10 * MINUTE;

/** From here on nobody counts the days. */
const FAR_MS = 60 * DAY;

/** How long until something is due: `in 42 s`, `in 4 min 5 s`, `in 42 min`, `now`, `late by 2 min`. */
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

/** How long ago something was: `just now`, `42 s ago`, `3 min ago`, `5 h 12 min ago`. */
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
