import { beforeEach, expect, test, vi } from 'vitest';
import { FakeBrowser } from './fakePage';
import { PATIENCE_MS, whenMade } from './made';

const end = vi.fn();
const begin = vi.fn(() => end);
let browser: FakeBrowser;

beforeEach(() => {
  vi.clearAllMocks();
  browser = new FakeBrowser();
});

const turn = () => new Promise((resolve) => setTimeout(resolve));

test('begins at once where nothing is being made, and where that cannot be known', () => {
  for (const manager of [undefined, {}, { _models: {} }]) {
    whenMade(manager, browser, begin)();
  }
  expect([begin.mock.calls.length, end.mock.calls.length]).toEqual([3, 3]);
});

test('begins when all are made, also if one cannot be', async () => {
  let made = () => {};
  const slow = new Promise<void>((resolve) => {
    made = resolve;
  });
  const broken = Promise.reject(new Error('no such module'));
  const stop = whenMade({ _models: { slow, broken, ready: Promise.resolve() } }, browser, begin);
  await turn();
  expect(begin).not.toHaveBeenCalled();
  made();
  await turn();
  expect(begin).toHaveBeenCalledOnce();
  expect(browser.timers.size).toBe(0);
  stop();
  expect(end).toHaveBeenCalledOnce();
});

test('does not wait for ever', () => {
  whenMade({ _models: { never: new Promise(() => {}) } }, browser, begin);
  browser.pass(PATIENCE_MS - 1);
  expect(begin).not.toHaveBeenCalled();
  browser.pass(1);
  expect(begin).toHaveBeenCalledOnce();
});

test('never begins once it has ended', async () => {
  whenMade({ _models: { ready: Promise.resolve() } }, browser, begin)();
  await turn();
  expect([begin.mock.calls.length, browser.timers.size]).toEqual([0, 0]);
});
