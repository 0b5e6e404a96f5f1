import * as React from 'react';
import type { Task } from '../../shared/tasks';
import { useSurroundings } from './surroundings';

/** How far a run is; without a number if it does not say. */
export function Progress({ task: { name, run } }: { readonly task: Task }) {
  const { trans } = useSurroundings();
  const progress = run?.progress ?? null;
  const percent = progress === null ? null : Math.round(progress * 100);
  return (
    <div
      className="nbsession-Progress"
      role="progressbar"
      aria-label={trans.__('Progress of %1', name)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent ?? undefined}
      aria-valuetext={run?.progress_text || undefined}
      data-indeterminate={percent === null}
    >
      <div style={percent === null ? {} : { transform: `scaleX(${percent / 100})` }} />
    </div>
  );
}
