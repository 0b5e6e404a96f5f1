import type { SessionRow } from './sessionRow';
import { isInState, type StateFilter } from './taskView';
import { hasWords, wordsOf } from './wordsOf';

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
