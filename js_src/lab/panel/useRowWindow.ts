import * as React from 'react';
import { growthAbove, offsetsOf, type RowRange, scrolledTo, windowOf } from './rowWindow';

/** Drawn above and below what is in sight, in px. */
const MARGIN = 300;

const NOTHING: RowRange = { first: 0, end: 0 };

export interface RowWindow {
  readonly range: RowRange;
  readonly offsets: readonly number[];
  /** Watches the height of a row, whose element has its key in `data-key`. */
  readonly heights: ResizeObserver;
  /** Brings a row into sight. */
  readonly scrollTo: (index: number) => void;
  /** How many rows of ordinary height are in sight. */
  readonly perPage: number;
}

/**
 * Which rows of a long list to draw, by where it is scrolled and how tall rows turn out.
 *
 * @param estimate - The height of a row that was never drawn, until another one was.
 */
export function useRowWindow(
  scroller: React.RefObject<HTMLElement>,
  keys: readonly string[],
  estimate: number,
): RowWindow {
  const [heights, setHeights] = React.useState<ReadonlyMap<string, number>>(() => new Map());
  const [sight, setSight] = React.useState({ top: 0, height: 0 });
  // Rows that are open, or say something, are taller than the others.
  const least = React.useMemo(
    () => (heights.size === 0 ? estimate : Math.min(...heights.values())),
    [heights, estimate],
  );
  const offsets = React.useMemo(() => offsetsOf(keys, heights, least), [keys, heights, least]);
  const observer = useHeights(scroller, setHeights);

  // What is in sight stays there while rows above it turn out taller or shorter than was thought.
  const drawn = React.useRef({ keys, offsets });
  React.useLayoutEffect(() => {
    const before = drawn.current;
    drawn.current = { keys, offsets };
    const element = scroller.current;
    if (element && before.keys === keys && before.offsets !== offsets) {
      const growth = growthAbove(before.offsets, offsets, element.scrollTop);
      if (growth !== 0) {
        element.scrollTop += growth;
      }
    }
  }, [scroller, keys, offsets]);

  React.useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) {
      return;
    }
    const look = () =>
      setSight((before) => {
        const [top, height] = [element.scrollTop, element.clientHeight];
        return before.top === top && before.height === height ? before : { top, height };
      });
    const resized = new ResizeObserver(look);
    resized.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      resized.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [scroller]);

  const scrollTo = React.useCallback(
    (index: number) => {
      const element = scroller.current;
      if (element) {
        const { scrollTop, clientHeight } = element;
        element.scrollTop = scrolledTo(drawn.current.offsets, index, scrollTop, clientHeight);
      }
    },
    [scroller],
  );
  return {
    range: sight.height === 0 ? NOTHING : windowOf(offsets, sight.top, sight.height, MARGIN),
    offsets,
    heights: observer,
    scrollTo,
    perPage: Math.max(1, Math.floor(sight.height / least)),
  };
}

type SetHeights = React.Dispatch<React.SetStateAction<ReadonlyMap<string, number>>>;

/** Watches the heights of rows; forgets them when the list's width changes, as texts wrap anew then. */
function useHeights(scroller: React.RefObject<HTMLElement>, setHeights: SetHeights) {
  const [observer] = React.useState(() => {
    let width = 0;
    return new ResizeObserver((entries) => {
      const now = scroller.current?.clientWidth ?? 0;
      const isWidthNew = now !== 0 && now !== width;
      width = now === 0 ? width : now;
      setHeights((before) => {
        const after = new Map(isWidthNew ? [] : before);
        for (const { target, borderBoxSize } of entries) {
          const key = (target as HTMLElement).dataset.key;
          const height = borderBoxSize[0]?.blockSize ?? 0;
          if (key !== undefined && target.isConnected && height > 0) {
            after.set(key, height);
          }
        }
        return isSame(before, after) ? before : after;
      });
    });
  });
  React.useEffect(() => () => observer.disconnect(), [observer]);
  return observer;
}

function isSame(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...b].every(([key, height]) => a.get(key) === height);
}
