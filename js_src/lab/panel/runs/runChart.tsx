import * as React from 'react';
import type { Run, RunState } from '../../../shared/rest';
import {
  durationOf,
  durationWords,
  runWords,
  spanWords,
  stateWords,
  type Trans,
  timesWords,
} from '../../format';
import { HISTORY_LENGTH, isOpen } from '../../model';
import { useSurroundings } from '../context';

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

/** In px. */
const HEIGHT = 44;
/** What has no duration is a mark on the base line. */
const STUB = 3;

interface RunChartProps {
  readonly taskKey: string;
  readonly name: string;
  /** The newest first. */
  readonly runs: readonly Run[];
}

/** The last runs as bars: how long they took, and by colour and shape what became of them. */
export function RunChart({ taskKey, name, runs }: RunChartProps) {
  const { model, state, trans, locale } = useSurroundings();
  const now = model.clock.now();
  const summary = React.useMemo(() => summaryOf(runs), [runs]);
  const open = ({ run }: Bar) => {
    if (!state.isRunOpen(taskKey, run.id)) {
      state.toggleRun(taskKey, run.id);
    }
  };
  return (
    <figure className="nbsession-Chart">
      <svg
        role="img"
        aria-label={trans.__('%1: %2', name, inWords(summary, trans))}
        width="100%"
        height={HEIGHT}
      >
        {barsOf(runs, now).map((bar) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: keys have the table of the same runs.
          <g key={bar.run.id} data-state={bar.run.state} onClick={() => open(bar)}>
            <title>
              {[
                spanWords(bar.run, now, locale),
                durationWords(bar.duration, trans),
                runWords(bar.run, trans),
              ]
                .filter((text) => text !== '')
                .join(' · ')}
            </title>
            <rect className="nbsession-Chart-place" {...place(bar)} y={0} height={HEIGHT} />
            <rect
              className="nbsession-Chart-bar"
              {...place(bar)}
              y={HEIGHT - heightOf(bar)}
              height={heightOf(bar)}
            />
          </g>
        ))}
        <line x1="0" x2="100%" y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      </svg>
      <figcaption>{durationsInWords(summary, trans)}</figcaption>
    </figure>
  );
}

function place({ x, width }: Bar) {
  return { x: `${x * 100}%`, width: `${width * 100}%` };
}

function heightOf({ height, run }: Bar): number {
  return height === 0 && !isOpen(run) ? STUB : Math.max(STUB, height * HEIGHT);
}

/** All that the bars say: `last 50 runs: 47 succeeded, missed 99 times; median 1.2 s, longest 5.2 s`. */
function inWords(summary: RunSummary, trans: Trans): string {
  const states = summary.states.map(([state, count]) =>
    trans.__('%1 %2', count, stateWords(state, trans)),
  );
  const all = [...states, ...gapsInWords(summary, trans)].join(', ');
  return [`${countInWords(summary, trans)}: ${all}`, timesInWords(summary, trans)]
    .filter((text) => text !== '')
    .join('; ');
}

/** What stands below: `Last 50 runs · missed 99 times · median 1.2 s, longest 5.2 s`. */
function durationsInWords(summary: RunSummary, trans: Trans): string {
  return [
    countInWords(summary, trans),
    gapsInWords(summary, trans).join(', '),
    timesInWords(summary, trans),
  ]
    .filter((text) => text !== '')
    .join(' · ');
}

function countInWords({ count }: RunSummary, trans: Trans): string {
  return count === 1 ? trans.__('One run') : trans.__('Last %1 runs', count);
}

function gapsInWords({ gaps }: RunSummary, trans: Trans): string[] {
  return gaps.map(([state, count]) =>
    trans.__('%1 %2', stateWords(state, trans), timesWords(count, trans)),
  );
}

function timesInWords({ count, median, longest }: RunSummary, trans: Trans): string {
  if (median === null || longest === null) {
    return '';
  }
  return count === 1
    ? durationWords(longest, trans)
    : trans.__(
        'median %1, longest %2',
        durationWords(median, trans),
        durationWords(longest, trans),
      );
}
