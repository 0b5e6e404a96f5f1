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
