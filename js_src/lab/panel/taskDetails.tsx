import * as React from 'react';
import type { TaskRow } from '../model';
import { Notice } from './notice';
import { Runs } from './runs';
import { useSurroundings } from './surroundings';
import { TaskFacts } from './taskFacts';

/** What a task is, and what became of its runs. */
export function TaskDetails({ row: { key, task, lastRun } }: { readonly row: TaskRow }) {
  const { trans } = useSurroundings();
  const isGlobal = task.kernel_id === null;
  // With runs to read, the error is at the run.
  const error = isGlobal ? null : (task.last_run_error ?? lastRun?.error ?? null);
  return (
    <>
      {task.last_error !== null && (
        <Notice
          kind="error"
          text={trans.__('The code of its schedule has ended it: %1', task.last_error)}
        />
      )}
      {error !== null && <Notice kind="error" text={trans.__('Last error: %1', error)} />}
      {!task.editable && (
        <Notice
          kind="info"
          text={trans.__('Another server runs it: this one has not its setup script or folder.')}
        />
      )}
      {isGlobal && <Runs taskKey={key} name={task.name} />}
      {!isGlobal && (
        <p className="nbsession-muted">
          {trans.__('Runs in this kernel and ends with it. What it prints is at the cell.')}
        </p>
      )}
      <TaskFacts task={task} />
    </>
  );
}
