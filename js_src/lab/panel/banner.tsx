import * as React from 'react';
import { errorWords, type Trans } from '../format';
import type { FeedStatus } from '../model';
import { useSurroundings } from './context';
import { Notice } from './ui/notice';
import { useSignal } from './ui/useSignal';

/** What is wrong with all that is shown; nothing if nothing is. */
export function Banner() {
  const { model, trans } = useSurroundings();
  const { feed, tasks } = model;
  const status = useSignal(feed.changed, () => feed.status);
  const error = useSignal(feed.changed, () => feed.error);
  const problem = useSignal(tasks.changed, () => tasks.problem);
  const trouble = troubleWords(status, trans) ?? (error ? errorWords(error, trans) : null);
  const canRetry = status !== 'forbidden' && trouble !== null;
  return (
    <>
      {trouble !== null && (
        <Notice kind={status === 'polling' ? 'info' : 'error'} text={trouble}>
          {canRetry && (
            <button type="button" className="nbsession-Button" onClick={() => void feed.refresh()}>
              {trans.__('Try again')}
            </button>
          )}
        </Notice>
      )}
      {problem !== null && (
        <Notice
          kind="warning"
          text={trans.__('Tasks are not kept when the server ends: %1', problem)}
        />
      )}
    </>
  );
}

function troubleWords(status: FeedStatus, trans: Trans): string | null {
  switch (status) {
    case 'interrupted':
      return trans.__('The server does not answer. What is shown may be out of date.');
    case 'absent':
      return trans.__(
        'This server runs without nbsession. Install it in the environment of the server: pip install nbsession, and start the server again.',
      );
    case 'forbidden':
      return trans.__('You may not see the tasks of this server.');
    case 'polling':
      return trans.__('No live news from the server: what is shown may be some seconds old.');
    default:
      return null;
  }
}
