import * as React from 'react';
import type { TaskRow } from '../model';
import { LastError } from './lastError';
import { Notice } from './notice';
import { Runs } from './runs';
import { useSurroundings } from './surroundings';
import { TaskFacts } from './taskFacts';

/** What a task is, and what became of its runs. */
export function TaskDetails({ row: { key, task } }: { readonly row: TaskRow }) {
  const { trans } = useSurroundings();
  const isGlobal = task.kernel_id === null;
  const error = task.last_error === task.ended_by ? null : task.last_error;
  return (
    <>
      {task.ended_by !== null && (
        <Notice
          kind="error"
          text={trans.__('The code of its schedule has ended it: %1', task.ended_by)}
        />
      )}
      {!isGlobal && error !== null && <LastError error={error} />}
      {!task.editable && (
        <Notice
          kind="info"
          text={trans.__('Another server runs it: this one has not its setup script or folder.')}
        />
      )}
      {isGlobal && <Runs taskKey={key} name={task.name} lastError={error} />}
      {!isGlobal && (
        <p className="nbsession-muted">
          {trans.__('Runs in this kernel and ends with it. What it prints is at the cell.')}
        </p>
      )}
      <TaskFacts task={task} />
    </>
  );
}
