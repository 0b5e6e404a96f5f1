/**
 * What the state panel shows, and what it asks of the kernel. Python: `callback_rows.py`, `task_rows.py`,
 * `request_desk.py`, `panel.py`.
 */

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

/** A task that the kernel runs itself, as in the page model's trait `tasks`. */
export interface TaskRow {
  readonly name: string;
  /** In words. */
  readonly schedule: string;
  readonly state: 'scheduled' | 'running' | 'paused' | 'finished';
  /** An instant, ISO 8601; null if there is none. */
  readonly next_run: string | null;
  readonly run_count: number;
  readonly error_count: number;
  /** What was missed or skipped since the last run, in words; '' for nothing. */
  readonly gap?: string;
}

/** Panel → kernel: an order to a task. */
export interface OrderTask {
  readonly action: 'task';
  readonly name: string;
  readonly order: 'run' | 'pause' | 'resume';
}

/** Panel → kernel: start or stop a callback, or change its period, in ms. */
export interface OrderCallback {
  readonly action: 'callback';
  readonly id: string;
  readonly set: { readonly running: boolean } | { readonly period: number };
}

/** Kernel → panel: a command that was not carried out; of a task the id is `task:` and its name. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly id: string;
  readonly reason: string;
}

export type PanelMessage = OrderCallback | OrderTask;

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

/** A task in words: its schedule, when it is due or why it is not, and what was missed. */
export function taskNotesOf({ schedule, state, next_run, gap }: TaskRow, locale?: string): string {
  const due = next_run === null ? '' : `next ${new Date(next_run).toLocaleString(locale)}`;
  return [schedule, state, due, gap].filter(Boolean).join(' · ');
}
