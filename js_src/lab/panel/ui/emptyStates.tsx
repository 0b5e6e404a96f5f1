import * as React from 'react';
import { useSurroundings } from '../context';
import { Printed } from './text';

const TASK = `from nbsession import state
import jobs

state.schedule_task(
    "refresh",
    jobs.refresh,
    period="10m",
)`;

const SESSION = `%load_ext nbsession

def tick():
    print("tick")

state.add_periodic_callback(
    tick, period=500
)`;

/** Nothing is scheduled: how to do that. */
export function NoTasks() {
  const { trans } = useSurroundings();
  return (
    <Empty
      text={trans.__(
        'No scheduled tasks yet. A notebook makes one of any function that can be imported:',
      )}
    >
      <Printed label={trans.__('Example')} text={TASK} />
      <p>
        {trans.__('It runs in the server, also when the notebook is closed, and shows up here.')}
      </p>
    </Empty>
  );
}

/** No kernel has nbsession: how to load it. */
export function NoSessions() {
  const { trans } = useSurroundings();
  return (
    <Empty text={trans.__('No notebook has loaded nbsession yet. In a cell:')}>
      <Printed label={trans.__('Example')} text={SESSION} />
      <p>{trans.__('Its periodic callbacks can then be watched and switched here.')}</p>
    </Empty>
  );
}

/** The filters let nothing through. */
export function NoMatch() {
  const { model, trans } = useSurroundings();
  return (
    <Empty text={trans.__('Nothing matches the filter.')}>
      <button type="button" className="nbsession-Button" onClick={() => model.filter()}>
        {trans.__('Clear the filter')}
      </button>
    </Empty>
  );
}

interface EmptyProps {
  readonly text: string;
  readonly children: React.ReactNode;
}

function Empty({ text, children }: EmptyProps) {
  return (
    <div className="nbsession-Empty">
      <p>{text}</p>
      {children}
    </div>
  );
}
