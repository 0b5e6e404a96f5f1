import * as React from 'react';
import { CopyButton } from './copyButton';
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
