/** What the state panel shows, and what it asks of the kernel. Python: `callback_rows.py`, `panel.py`. */

/** A periodic callback, as in the page model's trait `callbacks`. */
export interface CallbackRow {
  readonly id: string;
  readonly name: string;
  /** In ms. */
  readonly period: number;
  readonly running: boolean;
  readonly counter: number;
  /** Calls per start at most; null for no end. */
  readonly count: number | null;
  /** In ms from a start; null for no end. */
  readonly timeout: number | null;
  readonly skipped: number;
  /** `ValueError: …`; null if the callback has never raised. */
  readonly last_error: string | null;
}

/** Panel → kernel: start or stop a callback. */
export interface SwitchCallback {
  readonly kind: 'callback';
  readonly id: string;
  readonly action: 'start' | 'stop';
}

/** Panel → kernel: change a period, in ms. */
export interface ChangePeriod {
  readonly kind: 'period';
  readonly id: string;
  readonly period: number;
}

/** Kernel → panel: a command that was not carried out. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly id: string;
  readonly reason: string;
}

export type PanelMessage = SwitchCallback | ChangePeriod;

/** The whole number of ms that a text says; otherwise why it is none. */
export function parsePeriod(text: string): number | string {
  const trimmed = text.trim();
  const period = Number(trimmed);
  if (trimmed === '' || !Number.isSafeInteger(period) || period < 1) {
    return 'A period is a whole number of ms, at least 1.';
  }
  return period;
}

/** Path, query and hash, as the address bar shows them. */
export function addressOf(location: Readonly<Record<string, unknown>>): string {
  return ['pathname', 'search', 'hash']
    .map((part) => location[part])
    .filter((text): text is string => typeof text === 'string')
    .join('');
}

/** The numbers of a callback in words, without the counter, which has a place of its own. */
export function notesOf({ count, timeout, skipped }: CallbackRow): string {
  return [
    skipped > 0 ? `${skipped} skipped` : '',
    count === null ? '' : `${count} per start`,
    timeout === null ? '' : `ends after ${timeout} ms`,
  ]
    .filter((note) => note !== '')
    .join(' · ');
}
