import * as React from 'react';

/** Which rows of a long list are in sight: pure numbers, in px. */

/** From a row to the one after the last. */
export interface RowRange {
  readonly first: number;
  readonly end: number;
}

/** Where each row begins; one more number says where the last one ends. */
export function offsetsOf(
  keys: readonly string[],
  heights: ReadonlyMap<string, number>,
  estimate: number,
): readonly number[] {
  const offsets = [0];
  let offset = 0;
  for (const key of keys) {
    offset += heights.get(key) ?? estimate;
    offsets.push(offset);
  }
  return offsets;
}

/** The row at a height; the last one for what is below it. */
export function rowAt(offsets: readonly number[], top: number): number {
  let [low, high] = [0, Math.max(0, offsets.length - 2)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((offsets[middle] as number) <= top) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/** The rows to draw: those in sight, and those at most this far above and below. */
export function windowOf(
  offsets: readonly number[],
  top: number,
  height: number,
  margin: number,
): RowRange {
  const count = offsets.length - 1;
  if (count <= 0 || height <= 0) {
    return { first: 0, end: 0 };
  }
  return {
    first: rowAt(offsets, top - margin),
    end: rowAt(offsets, top + height + margin) + 1,
  };
}

/** Where to scroll so that a row is in sight; where it is already if it is. */
export function scrolledTo(
  offsets: readonly number[],
  index: number,
  top: number,
  height: number,
): number {
  const [begin, end] = [offsets[index] ?? 0, offsets[index + 1] ?? 0];
  if (begin < top || end - begin > height) {
    return begin;
  }
  return end > top + height ? end - height : top;
}

/** How much the rows above a place have grown: to stay with what is in sight, scroll by that. */
export function growthAbove(
  before: readonly number[],
  after: readonly number[],
  top: number,
): number {
  const index = rowAt(before, top);
  return (after[index] ?? 0) - (before[index] ?? 0);
}

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
