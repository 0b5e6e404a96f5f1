/** Which tasks are shown, and in what order. */
import type { Task } from '../../shared/tasks';
import { hasFailed, type TaskRow } from './taskRow';
import { hasWords } from './wordsOf';

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
