import * as React from 'react';
import type { Session } from '../../../shared/rest';
import { instantWords, type Trans } from '../../format';
import type { SessionRow } from '../../model';
import { useSurroundings } from '../context';
import { TaskItem } from '../tasks/taskItem';
import { Icon } from '../ui/icon';
import { arrowsToggle, ROW_FOCUS, ROW_HEAD, useTabIndex } from '../ui/rowFocus';
import { useSignal } from '../ui/useSignal';
import { CallbackItem } from './callbackItem';

interface SessionItemProps {
  readonly row: SessionRow;
  readonly isWritable: boolean;
}

/** A kernel with nbsession: whose it is, and what goes on in it. */
export function SessionItem({ row, isWritable }: SessionItemProps) {
  const { state } = useSurroundings();
  const isOpen = useSignal(state.changed, () => state.isSessionOpen(row.key));
  return <SessionView row={row} isWritable={isWritable} isOpen={isOpen} />;
}

interface SessionViewProps extends SessionItemProps {
  readonly isOpen: boolean;
}

const SessionView = React.memo(function SessionView({ row, isWritable, isOpen }: SessionViewProps) {
  const id = React.useId();
  return (
    <div className="nbsession-Session" data-kernel={row.key} data-open={isOpen}>
      <SessionHead row={row} isOpen={isOpen} bodyId={id} />
      {isOpen && (
        <div id={id} className="nbsession-Session-body">
          <SessionBody row={row} isWritable={isWritable} />
        </div>
      )}
    </div>
  );
});

interface SessionHeadProps {
  readonly row: SessionRow;
  readonly isOpen: boolean;
  readonly bodyId: string;
}

function SessionHead({ row, isOpen, bodyId }: SessionHeadProps) {
  const { state, trans, locale } = useSurroundings();
  const tabIndex = useTabIndex();
  const toggle = () => state.toggleSession(row.key);
  const since = instantWords(row.session.started_at, locale);
  return (
    <div className="nbsession-Session-head" {...ROW_HEAD}>
      <button
        type="button"
        className="nbsession-Session-caret"
        aria-expanded={isOpen}
        aria-controls={isOpen ? bodyId : undefined}
        aria-label={row.title}
        tabIndex={tabIndex}
        onClick={toggle}
        onKeyDown={arrowsToggle(isOpen, toggle)}
        {...ROW_FOCUS}
      >
        <Icon name="caret" />
      </button>
      <SessionTitle row={row} />
      <BusyMark busy={row.session.busy} />
      <span className="nbsession-Session-where" title={trans.__('Since %1', since)}>
        {whereWords(row.session, trans)}
      </span>
    </div>
  );
}

function SessionBody({ row: { key, callbacks, tasks }, isWritable }: SessionItemProps) {
  const { trans } = useSurroundings();
  if (callbacks.length + tasks.length === 0) {
    return <p className="nbsession-muted">{trans.__('No periodic callbacks, no tasks.')}</p>;
  }
  return (
    <>
      {callbacks.length > 0 && (
        <ul className="nbsession-Callbacks" aria-label={trans.__('Periodic callbacks')}>
          {callbacks.map((each) => (
            <CallbackItem key={each.key} kernelId={key} callback={each} isWritable={isWritable} />
          ))}
        </ul>
      )}
      {tasks.length > 0 && (
        <ul className="nbsession-Session-tasks" aria-label={trans.__('Tasks of this kernel')}>
          {tasks.map((task) => (
            <li key={task.key}>
              <TaskItem row={task} isWritable={isWritable} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function SessionTitle({ row: { title, path } }: { readonly row: SessionRow }) {
  const { trans, openNotebook } = useSurroundings();
  const tabIndex = useTabIndex();
  return path === null ? (
    <span className="nbsession-Session-title" title={title}>
      {title}
    </span>
  ) : (
    <button
      type="button"
      className="nbsession-Session-title"
      title={trans.__('Open %1', path)}
      tabIndex={tabIndex}
      onClick={() => openNotebook(path)}
    >
      {title}
    </button>
  );
}

function BusyMark({ busy }: { readonly busy: boolean | null }) {
  const { trans } = useSurroundings();
  if (busy === null) {
    return null;
  }
  return (
    <span className="nbsession-Session-busy" data-busy={busy}>
      <Icon name={busy ? 'busy' : 'idle'} />
      {busy ? trans.__('busy') : trans.__('idle')}
    </span>
  );
}

/** `JupyterLab · Ada`. */
function whereWords({ host_kind, user }: Session, trans: Trans): string {
  const hosts = { lab: 'JupyterLab', notebook: 'Notebook', voila: 'Voilà' };
  const host = host_kind === null ? trans.__('no page') : hosts[host_kind];
  return user === null ? host : trans.__('%1 · %2', host, user.display_name || user.username);
}
