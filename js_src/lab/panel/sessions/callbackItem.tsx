import * as React from 'react';
import { parsePeriod } from '../../../shared/panel';
import type { CallbackChange, SessionCallback } from '../../../shared/rest';
import { durationWords, errorWords, type Trans } from '../../format';
import type { CallbackState } from '../../model';
import { useSurroundings } from '../context';
import { Notice } from '../ui/notice';
import { useTabIndex } from '../ui/rowFocus';
import { Printed } from '../ui/text';

interface PeriodFieldProps {
  /** Of the callback. */
  readonly name: string;
  /** In ms. */
  readonly period: number;
  readonly onChange: (period: number) => void;
}

/** The period of a callback in ms. What is being typed is not overwritten by news. */
export function PeriodField({ name, period, onChange }: PeriodFieldProps) {
  const { trans } = useSurroundings();
  const tabIndex = useTabIndex();
  const [typed, setTyped] = React.useState<string | null>(null);
  const id = React.useId();
  const isWrong = typed !== null && typeof parsePeriod(typed) === 'string';
  const commit = () => {
    const wanted = typed === null ? period : parsePeriod(typed);
    if (typeof wanted === 'number') {
      setTyped(null);
      if (wanted !== period) {
        onChange(wanted);
      }
    }
  };
  return (
    <>
      <input
        type="number"
        min="1"
        step="1"
        value={typed ?? period}
        aria-label={trans.__('Period of %1 in ms', name)}
        aria-invalid={isWrong || undefined}
        aria-describedby={isWrong ? id : undefined}
        tabIndex={tabIndex}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={() => (isWrong ? setTyped(null) : commit())}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            commit();
          } else if (event.key === 'Escape') {
            event.stopPropagation();
            setTyped(null);
          }
        }}
      />
      {trans.__('ms')}
      {isWrong && (
        <span id={id} role="alert" className="nbsession-Callback-wrong">
          {trans.__('A whole number of ms, at least 1')}
        </span>
      )}
    </>
  );
}

interface CallbackItemProps {
  readonly kernelId: string;
  readonly callback: CallbackState;
  readonly isWritable: boolean;
}

/** A periodic callback of a session, with its switch. */
export const CallbackItem = React.memo(function CallbackItem(props: CallbackItemProps) {
  const { kernelId, callback: state, isWritable } = props;
  const { model, state: panel, trans } = useSurroundings();
  const { id, name, last_error, errors } = state.callback;
  const notes = notesOf(state, trans);

  const change = async (wanted: CallbackChange): Promise<void> => {
    const outcome = await model.sessions.setCallback(kernelId, id, wanted);
    panel.announce(
      outcome.ok
        ? (outcome.answer.done === false ? laterWords : doneWords)(wanted, name, trans)
        : trans.__('%1: %2', name, errorWords(outcome.error, trans)),
    );
  };
  return (
    <li className="nbsession-Callback" data-pending={state.pending || undefined} data-name={name}>
      <CallbackHead callback={state.callback} onChange={isWritable ? change : null} />
      {notes !== '' && <div className="nbsession-muted">{notes}</div>}
      {state.refusal && (
        <Notice
          kind="error"
          text={errorWords(state.refusal, trans)}
          onDismiss={() => model.sessions.dismiss(state.key)}
        />
      )}
      {last_error !== null && <LastError error={last_error} count={errors ?? 1} />}
    </li>
  );
});

interface CallbackHeadProps {
  readonly callback: SessionCallback;
  /** Null for who may only read. */
  readonly onChange: ((wanted: CallbackChange) => void) | null;
}

function CallbackHead({ callback, onChange }: CallbackHeadProps) {
  const { trans, locale } = useSurroundings();
  const tabIndex = useTabIndex();
  const { name, period, running, counter } = callback;
  const calls = counter.toLocaleString(locale);
  return (
    <div className="nbsession-Callback-head">
      {onChange ? (
        <button
          type="button"
          role="switch"
          className="nbsession-Switch"
          aria-checked={running}
          aria-label={trans.__('Run %1', name)}
          title={running ? trans.__('Stop') : trans.__('Start')}
          tabIndex={tabIndex}
          onClick={() => onChange({ running: !running })}
        />
      ) : (
        <span className="nbsession-muted">{running ? trans.__('on') : trans.__('off')}</span>
      )}
      <span className="nbsession-Callback-name" title={name}>
        {name}
      </span>
      <span className="nbsession-Callback-period">
        {onChange ? (
          <PeriodField name={name} period={period} onChange={(ms) => onChange({ period: ms })} />
        ) : (
          trans.__('every %1', durationWords(period, trans))
        )}
      </span>
      <span className="nbsession-Callback-counter">
        {trans._n('%2 call', '%2 calls', counter, calls)}
      </span>
    </div>
  );
}

function LastError({ error, count }: { readonly error: string; readonly count: number }) {
  const { trans } = useSurroundings();
  const tabIndex = useTabIndex();
  const [line] = error.trim().split('\n').slice(-1);
  return (
    <details className="nbsession-Callback-error">
      <summary tabIndex={tabIndex} title={line}>
        {trans._n('%1 error', '%1 errors', count)}
        <span>: {line}</span>
      </summary>
      <Printed label={trans.__('Last error')} text={error} />
    </details>
  );
}

function notesOf({ callback }: CallbackState, trans: Trans): string {
  const { skipped, count, timeout, last_duration } = callback;
  return [
    last_duration == null ? '' : trans.__('takes %1', durationWords(last_duration, trans)),
    skipped > 0 ? trans.__('%1 skipped', skipped) : '',
    count === null ? '' : trans.__('%1 per start', count),
    timeout === null ? '' : trans.__('ends after %1', durationWords(timeout, trans)),
  ]
    .filter((note) => note !== '')
    .join(' · ');
}

function doneWords(wanted: CallbackChange, name: string, trans: Trans): string {
  if ('period' in wanted) {
    return trans.__('%1 runs every %2 now.', name, durationWords(wanted.period, trans));
  }
  return wanted.running ? trans.__('%1 is started.', name) : trans.__('%1 is stopped.', name);
}

/** The kernel's loop is kept by a cell. */
function laterWords(wanted: CallbackChange, name: string, trans: Trans): string {
  if ('period' in wanted) {
    const length = durationWords(wanted.period, trans);
    return trans.__('%1 runs every %2 when the cell has ended.', name, length);
  }
  return wanted.running
    ? trans.__('%1 is started when the cell has ended.', name)
    : trans.__('%1 is stopped when the cell has ended.', name);
}
