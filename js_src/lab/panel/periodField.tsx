import * as React from 'react';
import { parsePeriod } from '../../shared/panel';
import { useTabIndex } from './rowFocus';
import { useSurroundings } from './surroundings';

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
