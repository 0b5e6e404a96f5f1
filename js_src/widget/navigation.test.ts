import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { LocationParts, Navigate } from '../shared/pageMessages';
import { FakeBrowser, FakeModel } from '../testing/fakePage';
import { POLL_MS } from './browser';
import { connect } from './page';

let model: FakeModel;
let browser: FakeBrowser;
let page: string;

function start(href?: string): void {
  model = new FakeModel();
  browser = new FakeBrowser(href);
  connect(model, browser);
  page = model.take('hello')[0]?.page ?? '';
}

function navigate(parts: LocationParts, more: Partial<Navigate> = {}, serial = 1): void {
  const command = { kind: 'navigate', page, serial, parts, history: 'push', reload: false };
  model.receive({ ...command, ...more });
}

beforeEach(() => {
  start();
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});

describe('location reports', () => {
  test('come with pushState, replaceState and back, each once and without the token', () => {
    browser.history.pushState(null, '', '?token=secret&n=4');
    browser.history.replaceState(null, '', '#new');
    browser.go(-1);
    const reports = model.take('location').map(({ location, applied }) => [location.href, applied]);
    expect(reports).toEqual([
      ['http://h:8866/app/render/a.ipynb?n=4', 0],
      ['http://h:8866/app/render/a.ipynb?n=4#new', 0],
      ['http://h:8866/app/render/a.ipynb?n=3#part', 0],
    ]);
  });

  test('do not come without a change', () => {
    browser.history.replaceState(null, '', browser.location.href);
    expect(model.sent).toEqual([]);
  });

  test('where there is no Navigation API: events at once, the rest within a second', () => {
    model = new FakeModel();
    browser = new FakeBrowser();
    browser.navigation = undefined;
    const end = connect(model, browser);
    browser.history.pushState(null, '', '?n=4');
    expect(model.take('location')).toEqual([]);
    browser.pass(POLL_MS);
    expect(model.take('location').map(({ location }) => location.search)).toEqual(['?n=4']);
    browser.go(-1);
    expect(model.take('location').map(({ location }) => location.search)).toEqual(['?n=3']);
    end();
    expect(browser.listenerCount).toBe(0);
  });
});

describe('navigate', () => {
  test('writes an entry, keeps the token and the parts not named, and answers once', () => {
    navigate({ search: '?a=%20b+c&%zz=1' }, {}, 7);
    expect(browser.entries).toEqual([
      'http://h:8866/app/render/a.ipynb?token=secret&n=3#part',
      'http://h:8866/app/render/a.ipynb?a=%20b+c&%zz=1&token=secret#part',
    ]);
    const answers = model.take('location');
    expect(answers.map(({ applied, location }) => [applied, location.search])).toEqual([
      [7, '?a=%20b+c&%zz=1'],
    ]);
  });

  test('replaces the entry', () => {
    navigate({ hash: '#x', pathname: '/other' }, { history: 'replace' });
    expect(browser.entries).toEqual(['http://h:8866/other?token=secret&n=3#x']);
  });

  test('empties a part', () => {
    navigate({ search: '', hash: '' });
    expect(browser.location.href).toBe('http://h:8866/app/render/a.ipynb?token=secret');
    start('http://h/lab?n=3#x');
    navigate({ search: '', hash: '' });
    expect(browser.location.href).toBe('http://h/lab');
  });

  test('of the URL that is there makes no entry, but is answered', () => {
    navigate({ search: '?n=3', hash: '#part' }, {}, 1); // moves the token
    navigate({ search: '?n=3' }, {}, 2);
    expect(browser.entries.length).toBe(2);
    expect(model.take('location').map(({ applied }) => applied)).toEqual([1, 2]);
  });

  test('two models in one document make one entry', () => {
    connect(new FakeModel(), browser);
    const second = new FakeModel();
    connect(second, browser);
    navigate({ search: '?n=4' });
    second.receive({
      kind: 'navigate',
      page,
      serial: 1,
      parts: { search: '?n=4' },
      history: 'push',
    });
    expect(browser.entries.length).toBe(2);
  });

  test('to another page does nothing', () => {
    navigate({ search: '?n=4' }, { page: 'another' });
    expect([browser.entries.length, model.sent]).toEqual([1, []]);
  });

  test('only replaces in JupyterLab', () => {
    browser.document.config = '{"appName": "JupyterLab"}';
    navigate({ search: '?n=4' });
    expect(browser.entries.length).toBe(1);
    browser.document.config = '{"appName": "Jupyter Notebook"}';
    navigate({ search: '?n=5' });
    expect(browser.entries.length).toBe(2);
    browser.document.config = 'not JSON';
    navigate({ search: '?n=6' });
    expect(browser.entries.length).toBe(3);
  });

  test.each([
    [{ pathname: '//evil.example/x' }],
    [{ pathname: '/\\evil.example/x' }],
    [{ pathname: '/.//evil.example/x' }],
    [{ pathname: 'javascript:alert(1)' }],
    [{ pathname: 'https://evil.example' }],
    [{ pathname: '' }],
    [{ pathname: 3 as unknown as string }],
    [{ search: { toString: () => '?x' } as unknown as string }],
  ])('refuses %o, and answers with where it is', (parts) => {
    navigate(parts, { reload: true }, 3);
    expect([browser.entries.length, browser.loads]).toEqual([1, []]);
    expect(model.take('location').map(({ applied }) => applied)).toEqual([3]);
    expect(console.warn).toHaveBeenCalled();
  });

  test.each([
    ['javascript', 'javascript:alert(1)'],
    ['a host', '?a=//evil.example'],
    ['a lone surrogate', '?\ud800'],
    ['100 kB', `?x=${'y'.repeat(100_000)}`],
  ])('takes a query of any text: %s', (_, search) => {
    navigate({ search });
    expect(browser.location.origin + browser.location.pathname).toBe(
      'http://h:8866/app/render/a.ipynb',
    );
    expect(model.take('location').length).toBe(1);
  });

  test('survives a browser that refuses', () => {
    browser.refuses = true;
    navigate({ search: '?n=4' });
    expect(model.take('location').length).toBe(1);
  });
});

describe('reload', () => {
  test('loads another URL, once', () => {
    navigate({ search: '?n=4' }, { reload: true });
    navigate({ search: '?n=5' }, { reload: true, history: 'replace' });
    expect(browser.loads).toEqual([
      'assign http://h:8866/app/render/a.ipynb?n=4&token=secret#part',
      'replace http://h:8866/app/render/a.ipynb?n=5&token=secret#part',
    ]);
  });

  test('loads the same URL anew, also with another hash', () => {
    navigate({}, { reload: true });
    navigate({ hash: '#x' }, { reload: true });
    expect(browser.loads).toEqual([
      'reload http://h:8866/app/render/a.ipynb?token=secret&n=3#part',
      'reload http://h:8866/app/render/a.ipynb?token=secret&n=3#x',
    ]);
  });
});

test('a flood of writes is slowed down, and the last one wins', () => {
  for (let n = 1; n <= 1000; n++) {
    navigate({ search: `?n=${n}` }, {}, n);
    browser.pass(10);
  }
  browser.pass(1000);
  expect(browser.location.search).toBe('?n=1000&token=secret');
  expect(browser.entries.length).toBeLessThan(200); // the browser's limit in these 10 s
  expect(browser.entries.length).toBeGreaterThan(100);
  expect(model.take('location').at(-1)?.applied).toBe(1000);
});

test('the cleanup forgets a write that waits', () => {
  model = new FakeModel();
  const end = connect(model, browser);
  for (let n = 1; n <= 60; n++) {
    navigate({ search: `?n=${n}` }, {}, n);
  }
  end();
  browser.pass(1000);
  expect(browser.location.search).toBe('?n=50&token=secret');
});

describe('document reports', () => {
  test('follow title, theme and visibility, each once', () => {
    browser.document.title = 'other';
    browser.mutate();
    browser.document.light = 'false';
    browser.mutate();
    browser.mutate();
    browser.document.visibilityState = 'hidden';
    browser.document.fire('visibilitychange');
    expect(model.take('document').map(({ document }) => document)).toEqual([
      { title: 'other', theme: 'light', visible: true },
      { title: 'other', theme: 'dark', visible: true },
      { title: 'other', theme: 'dark', visible: false },
    ]);
  });

  test("take the browser's theme where Jupyter has none", () => {
    browser.document.light = null;
    browser.scheme.fire('change');
    browser.scheme.matches = false;
    browser.scheme.fire('change');
    const reports = model.take('document');
    expect(reports.map(({ document }) => document.theme)).toEqual(['dark', 'light']);
    expect(reports.map(({ info }) => info.dark_mode)).toEqual([true, false]);
  });

  test("follow the browser's wish for dark pages beside Jupyter's theme", () => {
    browser.scheme.matches = false;
    browser.scheme.fire('change');
    browser.scheme.fire('change');
    const reports = model.take('document');
    expect(reports.map(({ document }) => document.theme)).toEqual(['light']);
    expect(reports.map(({ info }) => info.dark_mode)).toEqual([false]);
  });

  test('answer the writing of a title', () => {
    model.receive({ kind: 'title', page, serial: 5, title: 'mine' });
    model.receive({ kind: 'title', page, serial: 6, title: 'mine' });
    model.receive({ kind: 'title', page: 'another', serial: 7, title: 'theirs' });
    browser.mutate();
    expect(browser.document.title).toBe('mine');
    const reports = model
      .take('document')
      .map(({ applied, document }) => [applied, document.title]);
    expect(reports).toEqual([
      [5, 'mine'],
      [6, 'mine'],
    ]);
  });
});

test('focus is reported', () => {
  browser.fire('focus');
  expect(model.sent).toEqual([{ kind: 'focus', page }]);
});
