/**
 * Tab goes through one row of a list, the current one; arrow keys make another row the current one.
 * With a thousand rows nobody could get past the list otherwise.
 */
import * as React from 'react';

const CurrentRowContext = React.createContext(true);

/** Put around a row: whether it is the current one. */
export const CurrentRowProvider = CurrentRowContext.Provider;

/** For everything in a row that takes the focus. */
export function useTabIndex(): 0 | -1 {
  return React.useContext(CurrentRowContext) ? 0 : -1;
}

/** Marks the element that gets the focus when its row becomes the current one. */
export const ROW_FOCUS = { 'data-nbsession-row-focus': '' } as const;
export const ROW_FOCUS_SELECTOR = '[data-nbsession-row-focus]';

/** Marks the part of a row in which arrow keys go to other rows. */
export const ROW_HEAD = { 'data-nbsession-row-head': '' } as const;
export const ROW_HEAD_SELECTOR = '[data-nbsession-row-head]';

/** Where a key leads to from a row; null if nowhere. */
export function rowAfterKey(
  key: string,
  index: number,
  count: number,
  perPage: number,
): number | null {
  const steps: Record<string, number> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: perPage,
    PageUp: -perPage,
    Home: -count,
    End: count,
  };
  const step = steps[key];
  return step === undefined || count === 0 ? null : Math.min(count - 1, Math.max(0, index + step));
}

/** Keys for the button that opens something: right opens, left closes. */
export function arrowsToggle(isOpen: boolean, toggle: () => void) {
  return (event: React.KeyboardEvent) => {
    if (event.key === (isOpen ? 'ArrowLeft' : 'ArrowRight')) {
      event.stopPropagation();
      toggle();
    }
  };
}
