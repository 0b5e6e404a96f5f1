import { describe, expect, test } from 'vitest';
import { growthAbove, offsetsOf, rowAt, scrolledTo, windowOf } from './useRowWindow';

const KEYS = Array.from({ length: 1000 }, (_, index) => String(index));
const EVEN = offsetsOf(KEYS, new Map(), 50);

describe('where rows are', () => {
  test('by what was measured, else by the estimate', () => {
    expect(offsetsOf(['a', 'b', 'c'], new Map([['b', 300]]), 50)).toEqual([0, 50, 350, 400]);
    expect(offsetsOf([], new Map(), 50)).toEqual([0]);
  });

  test.each([
    [-10, 0],
    [0, 0],
    [49, 0],
    [50, 1],
    [25_025, 500],
    [49_999, 999],
    [80_000, 999],
  ])('the row at %i', (top, row) => {
    expect(rowAt(EVEN, top)).toBe(row);
  });

  test('no rows: the first', () => {
    expect(rowAt([0], 10)).toBe(0);
  });
});

describe('which rows are drawn', () => {
  test('those in sight and a few more', () => {
    expect(windowOf(EVEN, 5000, 500, 100)).toEqual({ first: 98, end: 113 });
  });

  test('at the ends there are no more', () => {
    expect(windowOf(EVEN, 0, 500, 100)).toEqual({ first: 0, end: 13 });
    expect(windowOf(EVEN, 49_500, 500, 100)).toEqual({ first: 988, end: 1000 });
  });

  test('one that is taller than the view', () => {
    const offsets = offsetsOf(KEYS, new Map([['3', 2000]]), 50);
    expect(windowOf(offsets, 1000, 400, 0)).toEqual({ first: 3, end: 4 });
  });

  test('none where nothing can be seen, or nothing is', () => {
    expect(windowOf(EVEN, 0, 0, 100)).toEqual({ first: 0, end: 0 });
    expect(windowOf([0], 0, 500, 100)).toEqual({ first: 0, end: 0 });
  });
});

describe('scrolling', () => {
  test.each([
    ['in sight', 12, 600],
    ['above', 3, 150],
    ['below', 40, 1550],
  ])('to a row %s', (_, index, top) => {
    expect(scrolledTo(EVEN, index, 600, 500)).toBe(top);
  });

  test('to the beginning of a row that is taller than the view', () => {
    const offsets = offsetsOf(KEYS, new Map([['3', 2000]]), 50);
    expect(scrolledTo(offsets, 3, 0, 500)).toBe(150);
  });

  test('rows above that turn out taller push nothing away', () => {
    const after = offsetsOf(KEYS, new Map([['1', 80]]), 50);
    expect(growthAbove(EVEN, after, 500)).toBe(30);
    expect(growthAbove(EVEN, after, 20)).toBe(0);
  });
});
