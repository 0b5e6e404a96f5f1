import * as React from 'react';

/**
 * Lines on a grid of 16 by 16, in the colour of the text around them.
 *
 * JupyterLab's own icons have none of the states, and keep their colour where a user's own colours are
 * forced.
 */
const LINES = {
  caret: 'M6 4l4 4-4 4',
  run: 'M5 3.5v9l7-4.5z',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  resume: 'M4 3.5v9M7.5 3.5v9l6-4.5z',
  cancel: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 2.75a4.25 4.25 0 1 0 0 8.5a4.25 4.25 0 1 0 0-8.5M10.2 10.2L13.5 13.5',
  copy: 'M6 5.5h7v8H6zM10 3H3v8',
  check: 'M3.5 8.5l3 3l6-7',
  warning: 'M8 2.5L14 13H2zM8 6.5v3M8 11.2v.1',
  info: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 7.5v3.5M8 5v.1',
  open: 'M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5',
  succeeded: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M5.3 8.3l2 2l3.5-4',
  failed: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M5.9 5.9l4.2 4.2M10.1 5.9l-4.2 4.2',
  lost: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M6.3 6.4a1.7 1.7 0 1 1 2.5 1.5q-.8.4-.8 1.3M8 11.2v.1',
  skipped: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M5.5 5.7L7.7 8l-2.2 2.3M8.7 5.7L10.9 8l-2.2 2.3',
  missed: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M5.3 8h5.4',
  scheduled: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 4.8V8l2.2 1.5',
  queued: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M5.4 8v.1M8 8v.1M10.6 8v.1',
  paused: 'M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M6.6 5.8v4.4M9.4 5.8v4.4',
  finished: 'M4 14V2.5h8.5L10.5 6l2 3.5H4',
  running: 'M8 2a6 6 0 1 1-6 6',
  idle: 'M8 4.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7',
  busy: 'M8 4.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7',
} as const;

export type IconName = keyof typeof LINES;

/** Says nothing to a screen reader: there is always a text. */
export const Icon = React.memo(function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg
      className={`nbsession-Icon nbsession-Icon-${name}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      focusable="false"
    >
      <path d={LINES[name]} />
    </svg>
  );
});
