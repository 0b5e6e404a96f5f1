import * as React from 'react';
import type { Run } from '../../shared/tasks';
import { isOpen } from '../model';
import { durationWords, runWords, spanWords, stateWords, type Trans, timesWords } from '../words';
import { type Bar, barsOf, type RunSummary, summaryOf } from './chartGeometry';
import { useSurroundings } from './surroundings';

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
