import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Hello, KernelMessage, PageMessage } from '../shared/wire';
import type { Browser, PageEvent, PageTransition } from './browser';
import { connect, type PageModel } from './connection';
import page from './page';

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

class FakeModel implements PageModel {
  sent: PageMessage[] = [];
  callbacks = new Set<(message: KernelMessage) => void>();

  send(message: PageMessage): void {
    this.sent.push(message);
  }
  on(_: 'msg:custom', callback: (message: KernelMessage) => void): void {
    this.callbacks.add(callback);
  }
  off(_: 'msg:custom', callback: (message: KernelMessage) => void): void {
    this.callbacks.delete(callback);
  }
  receive(message: unknown): void {
    for (const callback of this.callbacks) {
      callback(message as KernelMessage);
    }
  }
  get kinds(): string[] {
    return this.sent.map(({ kind }) => kind);
  }
}

class FakeBrowser implements Browser {
  location = {
    href: 'http://h:8866/app/render/a.ipynb?token=secret&n=3#part',
    origin: 'http://h:8866',
    protocol: 'http:',
    hostname: 'h',
    port: '8866',
    pathname: '/app/render/a.ipynb',
    search: '?token=secret&n=3',
    hash: '#part',
  };
  navigator = { language: 'de-DE' };
  crypto = { getRandomValues: (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array) };
  devicePixelRatio = 2;
  listeners = new Set<[PageEvent, (event: PageTransition) => void]>();

  matchMedia(query: string) {
    return { matches: query === '(prefers-color-scheme: dark)' };
  }
  addEventListener(type: PageEvent, listener: (event: PageTransition) => void): void {
    this.listeners.add([type, listener]);
  }
  removeEventListener(type: PageEvent, listener: (event: PageTransition) => void): void {
    for (const entry of this.listeners) {
      if (entry[0] === type && entry[1] === listener) {
        this.listeners.delete(entry);
      }
    }
  }
  fire(type: PageEvent, persisted = false): void {
    for (const [listened, listener] of this.listeners) {
      if (listened === type) {
        listener({ persisted });
      }
    }
  }
}

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
      },
    ]);
  });

  test('answers a ping, with the location of that moment', () => {
    connect(model, browser);
    browser.location.hash = '#later';
    model.receive({ kind: 'ping' });
    expect(model.kinds).toEqual(['hello', 'hello']);
    expect((model.sent[1] as Hello).location.hash).toBe('#later');
  });

  test('answers nothing else', () => {
    connect(model, browser);
    model.receive({ kind: 'of a later version' });
    expect(model.kinds).toEqual(['hello']);
  });

  test('comes again when the browser brings the page back', () => {
    connect(model, browser);
    browser.fire('pageshow', false);
    browser.fire('pagehide');
    browser.fire('pageshow', true);
    expect(model.kinds).toEqual(['hello', 'goodbye', 'hello']);
  });
});

test('goodbye names the page that said hello', () => {
  connect(model, browser);
  browser.fire('pagehide');
  expect(model.sent[1]).toEqual({ kind: 'goodbye', page: model.sent[0]?.page });
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
  expect([browser.listeners.size, model.callbacks.size]).toEqual([0, 0]);
});

test('anywidget finds initialize in the default export, and no view', () => {
  vi.stubGlobal('window', browser);
  expect(Object.keys(page)).toEqual(['initialize']);
  const cleanup = page.initialize({ model });
  expect(model.kinds).toEqual(['hello']);
  cleanup();
});
