import * as React from 'react';
import { errorWords } from '../../format';
import { useSurroundings } from '../context';
import { LastError, Notice } from '../ui/notice';
import { useSignal } from '../ui/useSignal';
import { RunChart } from './runChart';
import { RunTable } from './runTable';

interface RunsProps {
  readonly taskKey: string;
  readonly name: string;
  /** Of the task; shown here if it is at none of the runs. */
  readonly lastError: string | null;
}

/** The last runs of a task of the server. */
export function Runs({ taskKey, name, lastError }: RunsProps) {
  const { state, trans } = useSurroundings();
  const history = state.history(name);
  const runs = useSignal(history.changed, () => history.runs);
  const error = useSignal(history.changed, () => history.error);
  const isLoading = useSignal(history.changed, () => history.loading);
  const isMissing =
    lastError !== null && !isLoading && !runs.some((run) => run.error === lastError);
  return (
    <>
      {isMissing && <LastError error={lastError} />}
      {error && <Notice kind="error" text={errorWords(error, trans)} />}
      {runs.length > 0 ? (
        <>
          <RunChart taskKey={taskKey} name={name} runs={runs} />
          <RunTable taskKey={taskKey} name={name} runs={runs} history={history} />
        </>
      ) : (
        !error && (
          <p className="nbsession-muted">
            {isLoading ? trans.__('Loading…') : trans.__('It has not run yet.')}
          </p>
        )
      )}
    </>
  );
}
