import type { Trans } from './trans';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something took: `420 ms`, `1.2 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`; '' for null. */
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
