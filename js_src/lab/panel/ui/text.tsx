import * as React from 'react';
import type { Passing } from '../../format';
import { useSurroundings } from '../context';
import { CopyButton } from './buttons';
import { useTabIndex } from './rowFocus';

interface PrintedProps {
  readonly label: string;
  readonly text: string;
}

/** A long text as it was printed, that can be scrolled and copied. */
export function Printed({ label, text }: PrintedProps) {
  const tabIndex = useTabIndex();
  return (
    <figure className="nbsession-Printed">
      <figcaption>
        <span>{label}</span>
        <CopyButton text={text} what={label} />
      </figcaption>
      <pre tabIndex={tabIndex}>{text.replace(/\n$/, '')}</pre>
    </figure>
  );
}

interface PassingTextProps {
  /** What to say at a time, in ms of the server's clock. */
  readonly say: (nowMs: number) => Passing;
}

/**
 * A text about now, such as a countdown, drawn anew as it changes.
 *
 * Nothing announces it: it is no live region, and must not be put into one.
 */
export function PassingText({ say }: PassingTextProps) {
  const { clock, ticker } = useSurroundings().model;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const { text, stepMs } = say(clock.now());
  React.useEffect(() => ticker.subscribe(draw, stepMs), [ticker, stepMs]);
  return <>{text}</>;
}
