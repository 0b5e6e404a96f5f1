import * as React from 'react';
import type { Run } from '../../shared/tasks';
import { ApiError, isOpen, type RunHistory } from '../model';
import { errorWords, instantWords, runWords } from '../words';
import { Notice } from './notice';
import { Printed } from './printed';
import { useSurroundings } from './surroundings';

interface RunTextProps {
  readonly run: Run;
  readonly history: RunHistory;
}

/** What a run has printed and raised, read when it is opened and when the run has ended. */
export function RunText({ run, history }: RunTextProps) {
  const { trans, locale } = useSurroundings();
  const [text, setText] = React.useState<Run | ApiError | null>(null);
  const { id, state } = run;
  // biome-ignore lint/correctness/useExhaustiveDependencies: with its state its texts change.
  React.useEffect(() => {
    let isWanted = true;
    history.text(id).then(
      (read) => isWanted && setText(read),
      (error: unknown) => isWanted && setText(ApiError.of(error)),
    );
    return () => {
      isWanted = false;
    };
  }, [history, id, state]);

  if (text === null) {
    return <p className="nbsession-muted">{trans.__('Loading…')}</p>;
  }
  if (text instanceof ApiError) {
    return <Notice kind="error" text={errorWords(text, trans)} />;
  }
  const { output, traceback, error, reason, tries } = text;
  // A row of what was missed or skipped may have grown since its texts were read.
  const row = { ...text, count: run.count };
  const hasNothing = !output && !traceback && !error && !reason;
  return (
    <div className="nbsession-RunText">
      {(error || reason) && !traceback && (
        <p className="nbsession-RunText-why">{runWords(row, trans)}</p>
      )}
      {run.until !== run.due && (
        <p className="nbsession-muted">
          {trans.__(
            'from %1 to %2',
            instantWords(run.due, locale),
            instantWords(run.until, locale),
          )}
        </p>
      )}
      {tries > 1 && <p className="nbsession-muted">{trans._n('%1 try', '%1 tries', tries)}</p>}
      {traceback && <Printed label={trans.__('Traceback')} text={traceback} />}
      {output && (
        <Printed
          label={isOpen(text) ? trans.__('Output so far') : trans.__('Output')}
          text={output}
        />
      )}
      {hasNothing && (
        <p className="nbsession-muted">
          {isOpen(text) ? trans.__('Nothing printed yet.') : trans.__('It has printed nothing.')}
        </p>
      )}
    </div>
  );
}
