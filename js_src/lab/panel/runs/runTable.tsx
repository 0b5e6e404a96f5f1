import * as React from 'react';
import type { Run } from '../../../shared/rest';
import {
  durationOf,
  durationWords,
  errorWords,
  instantWords,
  runWords,
  shortInstant,
  stateWords,
  timesWords,
} from '../../format';
import { ApiError, isOpen, type RunHistory } from '../../model';
import { useSurroundings } from '../context';
import { Icon } from '../ui/icon';
import { Notice } from '../ui/notice';
import { useTabIndex } from '../ui/rowFocus';
import { PassingText, Printed } from '../ui/text';
import { useSignal } from '../ui/useSignal';

/** How long the panel may take to find its layout: rows are measured, and lists share its height. */
const SETTLED_MS = 1000;

const USER_EVENTS = ['wheel', 'pointerdown', 'keydown'];

/** Scrolls an element into sight and keeps it there until the layout is settled or the user acts. */
export function showElement(element: HTMLElement): void {
  const ended = new AbortController();
  const { signal } = ended;
  for (const event of USER_EVENTS) {
    window.addEventListener(event, () => ended.abort(), { signal, capture: true, passive: true });
  }
  setTimeout(() => ended.abort(), SETTLED_MS);
  const show = () => {
    if (!signal.aborted) {
      element.scrollIntoView({ block: 'nearest' });
      requestAnimationFrame(show);
    }
  };
  show();
}

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

const FEW = 8;

interface RunTableProps {
  readonly taskKey: string;
  readonly name: string;
  /** The newest first. */
  readonly runs: readonly Run[];
  readonly history: RunHistory;
}

/** The last runs; each opens to what it has printed and raised. */
export function RunTable({ taskKey, name, runs, history }: RunTableProps) {
  const { state, trans } = useSurroundings();
  const tabIndex = useTabIndex();
  const [areAllShown, showAll] = React.useState(false);
  const open = useSignal(state.changed, () =>
    runs
      .filter((run) => state.isRunOpen(taskKey, run.id))
      .map(({ id }) => id)
      .join(),
  ).split(',');
  const lastOpen = runs.reduce(
    (last, run, index) => (open.includes(String(run.id)) ? index : last),
    -1,
  );
  const shown = areAllShown ? runs : runs.slice(0, Math.max(FEW, lastOpen + 1));
  return (
    <>
      <table className="nbsession-Runs" aria-label={trans.__('Runs of %1', name)}>
        <thead>
          <tr>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Start')}</th>
            <th scope="col">{trans.__('Duration')}</th>
          </tr>
        </thead>
        {shown.map((run) => (
          <RunRow
            key={run.id}
            taskKey={taskKey}
            run={run}
            history={history}
            isOpen={open.includes(String(run.id))}
          />
        ))}
      </table>
      {shown.length < runs.length && (
        <button
          type="button"
          className="nbsession-Button nbsession-mod-plain"
          tabIndex={tabIndex}
          onClick={() => showAll(true)}
        >
          {trans.__('Show all %1', runs.length)}
        </button>
      )}
    </>
  );
}

interface RunRowProps {
  readonly taskKey: string;
  readonly run: Run;
  readonly history: RunHistory;
  readonly isOpen: boolean;
}

function RunRow({ taskKey, run, history, isOpen }: RunRowProps) {
  const { model, state, trans, locale } = useSurroundings();
  const tabIndex = useTabIndex();
  const id = React.useId();
  const start = run.started_at ?? run.due;
  const body = React.useRef<HTMLTableSectionElement>(null);
  React.useEffect(() => {
    if (body.current && state.takeRunTarget(taskKey, run.id)) {
      showElement(body.current);
    }
  });
  return (
    <tbody ref={body} data-state={run.state} data-run={run.id}>
      <tr>
        <td>
          <button
            type="button"
            className="nbsession-Disclosure"
            aria-expanded={isOpen}
            aria-controls={isOpen ? id : undefined}
            tabIndex={tabIndex}
            onClick={() => state.toggleRun(taskKey, run.id)}
          >
            <Icon name="caret" />
            <Icon name={run.state} />
            {stateWords(run.state, trans)}
          </button>
          {run.count !== 1 && <Times count={run.count} />}
        </td>
        <td>
          <time dateTime={start ?? ''} title={instantWords(start, locale)}>
            {shortInstant(start, model.clock.now(), locale)}
          </time>
          {run.until !== run.due && (
            <>
              <span className="nbsession-Runs-dash"> – </span>
              <time dateTime={run.until ?? ''} title={instantWords(run.until, locale)}>
                {shortInstant(run.until, model.clock.now(), locale)}
              </time>
            </>
          )}
        </td>
        <td>
          <Duration run={run} />
        </td>
      </tr>
      {isOpen && (
        <tr id={id}>
          <td colSpan={3}>
            <RunText run={run} history={history} />
          </td>
        </tr>
      )}
    </tbody>
  );
}

/** How often, where it is not once: `×99` or `×many`, for screen readers `99 times`. */
function Times({ count }: { readonly count: number | null }) {
  const { trans, locale } = useSurroundings();
  const words = timesWords(count, trans);
  const short = count === null ? trans.__('many') : count.toLocaleString(locale);
  return (
    <span className="nbsession-Runs-times" title={words}>
      <span aria-hidden="true">×{short}</span>
      <span className="nbsession-hidden">{words}</span>
    </span>
  );
}

function Duration({ run }: { readonly run: Run }) {
  const { trans } = useSurroundings();
  if (run.state === 'running') {
    const say = (now: number) => {
      const seconds = Math.floor((durationOf(run, now) ?? 0) / 1000);
      return { text: durationWords(seconds * 1000, trans), stepMs: 1000 };
    };
    return <PassingText say={say} />;
  }
  return <>{durationWords(durationOf(run, 0), trans) || '–'}</>;
}
