/** Which tasks are shown, and in what order. */
import type { Task } from '../../shared/rest';
import type { SessionRow } from './sessionRow';
import { hasFailed, type TaskRow } from './taskRow';

/** The words of a filter, in lower case. */
export function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** True if each of the words is in one of the texts; these are asked for only if there are words. */
export function hasWords(words: readonly string[], texts: () => readonly string[]): boolean {
  if (words.length === 0) {
    return true;
  }
  const searched = texts().join('\n').toLowerCase();
  return words.every((word) => searched.includes(word));
}

export type StateFilter = 'all' | 'running' | 'failed' | 'paused' | 'scheduled' | 'finished';
export type TaskOrder = 'name' | 'next' | 'errors';
export type TaskCounts = Record<StateFilter, number>;

/** True if a task is among those of a filter. A failed one is also what it is now. */
export function isInState(task: Task, state: StateFilter): boolean {
  switch (state) {
    case 'all':
      return true;
    case 'failed':
      return hasFailed(task);
    default:
      return task.state === state;
  }
}

export function countTasks(rows: readonly TaskRow[]): TaskCounts {
  const counts: TaskCounts = {
    all: rows.length,
    running: 0,
    failed: 0,
    paused: 0,
    scheduled: 0,
    finished: 0,
  };
  for (const { task } of rows) {
    counts[task.state] += 1;
    counts.failed += hasFailed(task) ? 1 : 0;
  }
  return counts;
}

/** True if every word is in what a task is called, calls and belongs to. */
export function isAbout(task: Task, words: readonly string[]): boolean {
  return hasWords(words, () => [task.name, task.callback, task.owner ?? '']);
}

// As people sort: "task 2" before "task 10". Made once, for that costs more than to sort with it.
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** By name, for tasks and for what else has one. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * Rows in an order.
 *
 * @param rows - In the order of names: that is how equals stay.
 */
export function inOrder(rows: readonly TaskRow[], order: TaskOrder): readonly TaskRow[] {
  switch (order) {
    case 'name':
      return rows;
    case 'next':
      return sortedBy(rows, ({ task }) => nextOf(task));
    case 'errors':
      return sortedBy(rows, ({ task }) => (hasFailed(task) ? -lastOf(task) : 1));
  }
}

/** Sorts by a number, which is asked for once of each row. */
function sortedBy(rows: readonly TaskRow[], rank: (row: TaskRow) => number): readonly TaskRow[] {
  return rows
    .map((row) => ({ row, rank: rank(row) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ row }) => row);
}

/** What runs now comes first; then what is due; last what will not be. */
function nextOf(task: Task): number {
  if (task.state === 'running') {
    return 0;
  }
  return task.next_run === null ? Number.MAX_VALUE : Date.parse(task.next_run);
}

/** The later the error, the further up. */
function lastOf(task: Task): number {
  return task.last_run === null ? 0 : Date.parse(task.last_run);
}

/** Which sessions are shown, and what of them. */
export interface SessionFilter {
  /** All of these words are in what a session and a row of it are called. */
  readonly text: string;
  /** Of tasks; what is no task has none of the states. */
  readonly state: StateFilter;
  /** True if sessions are left out in which nbsession was never loaded. */
  readonly onlyLinked: boolean;
}

/** Rows with what the filter leaves of them; the same objects where that is everything. */
export function filtered(
  rows: readonly SessionRow[],
  { text, state, onlyLinked }: SessionFilter,
): readonly SessionRow[] {
  const words = wordsOf(text);
  return rows
    .filter(({ session }) => session.linked || !onlyLinked)
    .map((row) => cut(row, words, state))
    .filter((row) => row !== null);
}

function cut(row: SessionRow, words: readonly string[], state: StateFilter): SessionRow | null {
  if (words.length === 0 && state === 'all') {
    return row;
  }
  const names = [row.title, row.session.user?.display_name ?? ''];
  const tasks = row.tasks.filter(
    ({ task }) =>
      isInState(task, state) && hasWords(words, () => [...names, task.name, task.callback]),
  );
  const callbacks = row.callbacks.filter(
    ({ callback }) => state === 'all' && hasWords(words, () => [...names, callback.name]),
  );
  const isNamed = state === 'all' && hasWords(words, () => names);
  if (!isNamed && tasks.length + callbacks.length === 0) {
    return null;
  }
  const isWhole = tasks.length === row.tasks.length && callbacks.length === row.callbacks.length;
  return isWhole ? row : { ...row, tasks, callbacks };
}
