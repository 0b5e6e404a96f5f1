import * as React from 'react';
import {
  CurrentRowProvider,
  ROW_FOCUS_SELECTOR,
  ROW_HEAD_SELECTOR,
  rowAfterKey,
} from '../ui/rowFocus';
import { useRowWindow } from './useRowWindow';

interface WindowedListProps<Item> {
  readonly label: string;
  /** A new array only if something of it has changed. */
  readonly items: readonly Item[];
  readonly keyOf: (item: Item) => string;
  readonly render: (item: Item) => React.ReactNode;
  /** The height of a row, roughly, in px. */
  readonly estimate: number;
  /** Told the height of all rows. */
  readonly onHeight: (height: number) => void;
  /** The key of a row to scroll to, as soon as it is there; null for none. */
  readonly target: string | null;
  readonly onTargetShown: () => void;
}

/** A list of which only the rows in sight exist, and the current one, which may have the focus. */
export function WindowedList<Item>(props: WindowedListProps<Item>) {
  const { label, items, keyOf, render, estimate, onHeight, target, onTargetShown } = props;
  const scroller = React.useRef<HTMLDivElement>(null);
  const keys = React.useMemo(() => items.map(keyOf), [items, keyOf]);
  const { range, offsets, heights, scrollTo, perPage } = useRowWindow(scroller, keys, estimate);
  const [current, setCurrent] = useCurrentRow(keys);
  const keepFocus = useFocus(scroller, keys, current);

  const total = offsets.at(-1) ?? 0;
  React.useLayoutEffect(() => onHeight(total), [onHeight, total]);

  const goTo = (index: number) => {
    setCurrent(index);
    scrollTo(index);
    keepFocus.request();
  };
  React.useEffect(() => {
    const index = target === null ? -1 : keys.indexOf(target);
    if (index >= 0 && range.end > 0) {
      goTo(index);
      onTargetShown();
    }
  });

  const onKeyDown = (event: React.KeyboardEvent) => {
    const next = rowAfterKey(event.key, current, keys.length, perPage);
    const isHead = (event.target as HTMLElement).closest(ROW_HEAD_SELECTOR) !== null;
    if (next !== null && isHead && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      event.stopPropagation();
      goTo(next);
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: for the keys of the buttons in it.
    <div className="nbsession-List" ref={scroller} onKeyDown={onKeyDown} {...keepFocus.handlers}>
      {/* biome-ignore lint/a11y/noRedundantRoles: Safari drops the role of a list without bullets. */}
      <ul role="list" aria-label={label} style={{ height: total }}>
        {drawn(range, current, keys.length).map((index) => {
          const [item, key] = [items[index] as Item, keys[index] as string];
          return (
            <Row
              key={key}
              id={key}
              heights={heights}
              top={offsets[index] ?? 0}
              place={index + 1}
              count={keys.length}
              isCurrent={index === current}
              onFocus={() => setCurrent(index)}
            >
              {render(item)}
            </Row>
          );
        })}
      </ul>
    </div>
  );
}

interface RowProps {
  readonly id: string;
  readonly heights: ResizeObserver;
  readonly top: number;
  readonly place: number;
  readonly count: number;
  readonly isCurrent: boolean;
  readonly onFocus: () => void;
  readonly children: React.ReactNode;
}

function Row({ id, heights, top, place, count, isCurrent, onFocus, children }: RowProps) {
  const element = React.useRef<HTMLLIElement>(null);
  React.useLayoutEffect(() => {
    const row = element.current;
    if (row) {
      heights.observe(row);
      return () => heights.unobserve(row);
    }
    return undefined;
  }, [heights]);
  return (
    <li
      ref={element}
      className="nbsession-List-row"
      data-key={id}
      data-current={isCurrent || undefined}
      style={{ top }}
      aria-setsize={count}
      aria-posinset={place}
      onFocus={isCurrent ? undefined : onFocus}
    >
      <CurrentRowProvider value={isCurrent}>{children}</CurrentRowProvider>
    </li>
  );
}

/** The place of the row that Tab leads to. It moves with its row; the next one follows one that goes. */
function useCurrentRow(keys: readonly string[]): [number, (index: number) => void] {
  const [row, setRow] = React.useState<{ key: string | null; index: number }>({
    key: null,
    index: 0,
  });
  const found = row.key === null ? -1 : keys.indexOf(row.key);
  const current = found >= 0 ? found : Math.min(row.index, Math.max(0, keys.length - 1));
  const key = keys[current] ?? null;
  if (row.key !== null && (row.key !== key || row.index !== current)) {
    setRow({ key, index: current });
  }
  const setCurrent = (index: number) => setRow({ key: keys[index] ?? null, index });
  return [current, setCurrent];
}

/** Moves the focus to the current row when it is asked to, and when a row goes that had the focus. */
function useFocus(
  scroller: React.RefObject<HTMLElement>,
  keys: readonly string[],
  current: number,
) {
  const isWanted = React.useRef(false);
  const hadFocus = React.useRef(false);
  React.useLayoutEffect(() => {
    const list = scroller.current;
    const isLost = hadFocus.current && document.activeElement === document.body;
    if (!list || (!isWanted.current && !isLost)) {
      return;
    }
    const key = keys[current];
    const row = [...list.querySelectorAll<HTMLElement>('[data-key]')].find(
      (each) => each.dataset.key === key,
    );
    const target = row?.querySelector<HTMLElement>(ROW_FOCUS_SELECTOR);
    if (target) {
      isWanted.current = false;
      target.focus({ preventScroll: true });
    }
  });
  return {
    request: () => {
      isWanted.current = true;
    },
    handlers: {
      onFocus: () => {
        hadFocus.current = true;
      },
      // A row that is taken away tells no blur: only where the focus goes elsewhere it is not ours.
      onBlur: (event: React.FocusEvent) => {
        const goesTo = event.relatedTarget as Node | null;
        hadFocus.current = goesTo === null && !event.target.isConnected;
      },
    },
  };
}

function drawn(range: { first: number; end: number }, current: number, count: number): number[] {
  const { first, end } = range;
  const indices = Array.from({ length: Math.max(0, end - first) }, (_, place) => first + place);
  if (indices.length === 0 || current >= count) {
    return indices;
  }
  if (current < first) {
    return [current, ...indices];
  }
  return current >= end ? [...indices, current] : indices;
}
