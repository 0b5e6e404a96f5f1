import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Page } from './interfaces';
import { ServerClock, Ticker } from './time';

const NOON = Date.parse('2026-11-22T12:00:00Z');

describe('the server’s clock', () => {
  let local: number;
  let clock: ServerClock;
  const hear = (serverMs: number, latencyMs: number) => {
    local = serverMs - OFFSET + latencyMs;
    clock.note(new Date(serverMs).toISOString());
  };
  const OFFSET = 5000;

  beforeEach(() => {
    local = NOON;
    clock = new ServerClock(() => local);
  });

  test('is ours until it says otherwise', () => {
    expect(clock.now()).toBe(NOON);
    clock.note('nonsense');
    expect(clock.now()).toBe(NOON);
  });

  test('is as the quickest answer says', () => {
    for (const [index, latency] of [300, 40, 900, 1500, 5].entries()) {
      hear(NOON + index * 1000, latency);
    }
    expect(clock.offset).toBe(OFFSET - 5);
  });

  test('is believed when somebody sets one of the two', () => {
    hear(NOON, 10);
    local = NOON + 60_000;
    clock.note(new Date(NOON).toISOString());
    expect(clock.offset).toBe(-60_000);
    clock.note(new Date(NOON + 3_600_000).toISOString());
    expect(clock.offset).toBe(3_540_000);
  });

  test('follows clocks that drift', () => {
    hear(NOON, 0);
    for (let minute = 1; minute <= 30; minute += 1) {
      local = NOON + minute * 60_000 - OFFSET + minute * 20; // ours is fast
      clock.note(new Date(NOON + minute * 60_000).toISOString());
    }
    expect(OFFSET - clock.offset).toBeGreaterThan(30 * 20 - 20 * 20 - 1);
  });
});

describe('the ticker', () => {
  let page: Page & { hidden: boolean };
  let show: (isHidden: boolean) => void;
  let ticker: Ticker;

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    const target = new EventTarget();
    page = Object.assign(target, { hidden: false }) as unknown as typeof page;
    show = (isHidden) => {
      page.hidden = isHidden;
      target.dispatchEvent(new Event('visibilitychange'));
    };
    ticker = new Ticker(() => Date.now() + 1, page);
  });

  afterEach(() => {
    ticker.dispose();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('tells each as often as it wants, with the server’s time', () => {
    const [often, rarely] = [vi.fn(), vi.fn()];
    ticker.subscribe(often, 1000);
    ticker.subscribe(rarely, 10_000);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(30_500);
    expect(often).toHaveBeenCalledTimes(30);
    expect(rarely).toHaveBeenCalledTimes(3);
    expect(often).toHaveBeenNthCalledWith(1, NOON + 1001);
  });

  test('one that comes later but is due sooner does not wait', () => {
    const [slow, quick] = [vi.fn(), vi.fn()];
    ticker.subscribe(slow, 60_000);
    ticker.subscribe(quick, 1000);
    vi.advanceTimersByTime(1000);
    expect(quick).toHaveBeenCalledOnce();
  });

  test('those that are due at nearly the same time are told at one', () => {
    const calls: number[] = [];
    ticker.subscribe((now) => calls.push(now), 1000);
    vi.advanceTimersByTime(150);
    ticker.subscribe((now) => calls.push(now), 1000);
    vi.advanceTimersByTime(1000);
    expect(new Set(calls).size).toBe(1);
    expect(calls).toHaveLength(2);
  });

  test('rests while nobody subscribes', () => {
    const slot = vi.fn();
    const end = ticker.subscribe(slot, 1000);
    end();
    end();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('rests while nobody can see the page, and tells all when they can', () => {
    const slot = vi.fn();
    ticker.subscribe(slot, 10_000);
    show(true);
    ticker.subscribe(slot, 10_000);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(60_000);
    expect(slot).not.toHaveBeenCalled();
    show(false);
    expect(slot).toHaveBeenCalledTimes(2);
  });

  test('one that ends another is listened to', () => {
    const other = vi.fn();
    let end = () => {};
    ticker.subscribe(() => end(), 1000);
    end = ticker.subscribe(other, 1000);
    vi.advanceTimersByTime(5000);
    expect(other).not.toHaveBeenCalled();
  });
});
