import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Hello } from '../shared/pageMessages';
import { FakeBrowser, FakeModel } from '../testing/fakePage';
import page, { connect, PATIENCE_MS, whenMade } from './page';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let model: FakeModel;
let browser: FakeBrowser;
beforeEach(() => {
  model = new FakeModel();
  browser = new FakeBrowser();
});

describe('hello', () => {
  test('is sent at once, with what the browser knows and without the token', () => {
    connect(model, browser);
    expect(model.sent).toEqual([
      {
        kind: 'hello',
        page: expect.stringMatching(UUID4),
        answer: false,
        focused: true,
        info: {
          language: 'de-DE',
          timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
          timezone_offset: new Date().getTimezoneOffset(),
          dark_mode: true,
          device_pixel_ratio: 2,
        },
        location: {
          href: 'http://h:8866/app/render/a.ipynb?n=3#part',
          origin: 'http://h:8866',
          protocol: 'http:',
          hostname: 'h',
          port: '8866',
          pathname: '/app/render/a.ipynb',
          search: '?n=3',
          hash: '#part',
        },
        known: true,
        document: { title: 'a notebook', theme: 'light', visible: true },
      },
    ]);
  });

  test('answers a ping, with the location of that moment', () => {
    connect(model, browser);
    browser.entries = ['http://h:8866/later'];
    model.receive({ kind: 'ping' });
    expect(model.kinds).toEqual(['hello', 'hello']);
    expect((model.sent[1] as Hello).answer).toBe(true);
    expect((model.sent[1] as Hello).location.pathname).toBe('/later');
  });

  test('answers nothing else', () => {
    connect(model, browser);
    model.receive({ kind: 'of a later version' });
    expect(model.kinds).toEqual(['hello']);
  });

  test('comes again when the browser brings the page back', () => {
    connect(model, browser);
    browser.fire('pageshow', { persisted: false });
    browser.fire('pagehide');
    browser.fire('pageshow', { persisted: true });
    expect(model.kinds).toEqual(['hello', 'goodbye', 'hello']);
  });
});

test('goodbye names the page that said hello', () => {
  connect(model, browser);
  browser.fire('pagehide');
  expect(model.sent[1]).toEqual({ kind: 'goodbye', page: model.sent[0]?.page });
});

test('a page that is loaded again says goodbye for the one before, whose own may be lost', () => {
  connect(model, browser);
  browser.fire('pagehide');
  const next = new FakeBrowser();
  next.stored = browser.stored;
  const [one, two] = [new FakeModel(), new FakeModel()];
  connect(one, next);
  connect(two, next); // Of another kernel.
  for (const { sent } of [one, two]) {
    expect(sent).toMatchObject([
      { kind: 'goodbye', page: model.sent[0]?.page },
      { kind: 'hello', answer: false },
    ]);
  }
  const copy = new FakeBrowser(); // Of the tab, which is still there.
  copy.stored = new Map(next.stored);
  const third = new FakeModel();
  connect(third, copy);
  expect(third.kinds).toEqual(['hello']);
});

test('where the browser stores nothing, a page is as another window', () => {
  const refuse = () => {
    throw new Error('SecurityError');
  };
  browser.sessionStorage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  connect(model, browser);
  browser.fire('pagehide');
  expect(model.kinds).toEqual(['hello', 'goodbye']);
});

test('a page is one document: same id for every model in it, another in another', () => {
  connect(model, browser)();
  connect(model, browser);
  connect(model, new FakeBrowser());
  const [first, second, other] = model.sent.map((message) => message.page);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
});

test('the cleanup takes every listener out', () => {
  const cleanup = connect(model, browser);
  cleanup();
  model.receive({ kind: 'ping' });
  browser.fire('pagehide');
  expect(model.kinds).toEqual(['hello']);
  expect([browser.listenerCount, model.callbacks.size]).toEqual([0, 0]);
});

test('a dead comm ends the reports, and raises nothing', () => {
  connect(model, browser);
  model.dead = true;
  browser.history.pushState(null, '', '/elsewhere');
  expect([browser.listenerCount, model.callbacks.size]).toEqual([0, 0]);
});

test('anywidget finds initialize in the default export, and no view', () => {
  vi.stubGlobal('window', browser);
  expect(Object.keys(page)).toEqual(['initialize']);
  const cleanup = page.initialize({ model });
  expect(model.kinds).toEqual(['hello']);
  cleanup();
});

describe('made', () => {
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
});
