import * as React from 'react';
import type { Passing } from '../words';
import { useSurroundings } from './surroundings';

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
