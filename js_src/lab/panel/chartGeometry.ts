/** The last runs of a task as bars, and in numbers: what the chart draws, and what it says. */
import type { Run, RunState } from '../../shared/tasks';
import { HISTORY_LENGTH } from '../model';
import { durationOf } from '../words';

export interface Bar {
  readonly run: Run;
  /** In ms; null for a run that never began. */
  readonly duration: number | null;
  /** Left edge and width, of the chart's width. */
  readonly x: number;
  readonly width: number;
  /** Of the chart's height, where 1 is the longest run that has ended; 0 for one that never began. */
  readonly height: number;
}

/** So much of a place is the gap to the next one. */
const GAP = 0.25;

/** A run so short that its bar could not be seen is drawn this high. */
const LEAST_HEIGHT = 0.05;

/**
 * A bar for each run, the oldest first.
 *
 * The newest is always at the right edge, and a place is as wide as with a full chart: so bars do not
 * change their width while the history grows.
 *
 * @param runs - The newest first.
 */
export function barsOf(runs: readonly Run[], nowMs: number): readonly Bar[] {
  const shown = runs.slice(0, HISTORY_LENGTH);
  // What still goes on does not squeeze the others: it may be there for hours.
  const longest = summaryOf(shown).longest ?? 0;
  const place = 1 / HISTORY_LENGTH;
  return shown
    .map((run, index) => {
      const duration = durationOf(run, nowMs);
      const share = Math.min(1, (duration ?? 0) / Math.max(1, longest));
      return {
        run,
        duration,
        x: 1 - (index + 1) * place,
        width: place * (1 - GAP),
        height: duration === null ? 0 : Math.max(LEAST_HEIGHT, share),
      };
    })
    .reverse();
}

export interface RunSummary {
  readonly count: number;
  /** How many of each state, the most frequent first. */
  readonly states: readonly (readonly [RunState, number])[];
  /** How many occurrences were missed and skipped; null if too many to be counted. */
  readonly gaps: readonly (readonly [RunState, number | null])[];
  /** In ms, of the runs that have ended; null if there is none. */
  readonly median: number | null;
  readonly longest: number | null;
}

export function summaryOf(runs: readonly Run[]): RunSummary {
  const states = new Map<RunState, number>();
  const gaps = new Map<RunState, number | null>();
  for (const { state, count } of runs) {
    if (state === 'missed' || state === 'skipped') {
      const before = gaps.get(state) ?? (gaps.has(state) ? null : 0);
      gaps.set(state, before === null || count === null ? null : before + count);
    } else {
      states.set(state, (states.get(state) ?? 0) + 1);
    }
  }
  const durations = runs
    .filter((run) => run.ended_at !== null)
    .map((run) => durationOf(run, 0))
    .filter((duration) => duration !== null)
    .sort((a, b) => a - b);
  return {
    count: runs.length,
    states: [...states].sort(([, a], [, b]) => b - a),
    gaps: [...gaps],
    median: medianOf(durations),
    longest: durations.at(-1) ?? null,
  };
}

function medianOf(sorted: readonly number[]): number | null {
  const half = sorted.length >> 1;
  const [low, high] = [sorted[half - 1], sorted[half]];
  if (high === undefined) {
    return null;
  }
  return sorted.length % 2 === 1 || low === undefined ? high : (low + high) / 2;
}
