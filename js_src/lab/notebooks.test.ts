import { beforeEach, describe, expect, test } from 'vitest';
import {
  type DocumentUrls,
  documentPathOf,
  type KernelOwner,
  NotebookUrls,
  OpeningUrl,
  POLL_MS,
} from './notebooks';

const ORIGIN = 'http://h:8888';

/** `window` with a history, in which JupyterLab and the user move. */
class FakeWindow {
  entries: string[];
  index = 0;
  listeners = new Map<string, (event: Event) => void>();
  stored = new Map<string, string>();
  polls: (() => void)[] = [];
  navigation: Pick<EventTarget, 'addEventListener'> | undefined = {
    addEventListener: (type: string, listener: unknown) =>
      this.listeners.set(type, listener as (event: Event) => void),
  };
  sessionStorage = {
    getItem: (key: string) => this.stored.get(key) ?? null,
    setItem: (key: string, value: string) => void this.stored.set(key, value),
  };
  history = {
    state: { of: 'JupyterLab' },
    replaceState: (state: unknown, _: string, url?: string | URL | null) => {
      expect(state).toBe(this.history.state);
      this.entries[this.index] = String(url);
      this.tell('replace');
    },
  };

  constructor(path: string) {
    this.entries = [ORIGIN + path];
  }
  /** Live, as the browser's. */
  location = ((now: () => URL) => ({
    get href(): string {
      return now().href;
    },
    get pathname(): string {
      return now().pathname;
    },
    get search(): string {
      return now().search;
    },
    get hash(): string {
      return now().hash;
    },
  }))(() => new URL(this.entries[this.index] ?? ''));
  get address(): string {
    return this.location.href.slice(ORIGIN.length);
  }
  addEventListener(type: string, listener: () => void): void {
    this.listeners.set(type, listener);
  }
  setInterval(callback: () => void, ms: number): void {
    expect(ms).toBe(POLL_MS);
    this.polls.push(callback);
  }
  push(path: string): void {
    this.entries = [
      ...this.entries.slice(0, this.index + 1),
      new URL(path, this.location.href).href,
    ];
    this.index += 1;
    this.tell('push');
  }
  replace(path: string): void {
    this.entries[this.index] = new URL(path, this.location.href).href;
    this.tell('replace');
  }
  go(step: number): void {
    this.index += step;
    this.tell('traverse');
    this.listeners.get('popstate')?.(new Event('popstate'));
  }
  private tell(navigationType: string): void {
    const event = Object.assign(new Event('currententrychange'), { navigationType });
    this.listeners.get('currententrychange')?.(event);
  }
}

const documents: DocumentUrls = {
  pathnameOf: (path) =>
    path ? `/lab/tree/${path.split('/').map(encodeURIComponent).join('/')}` : '/lab',
  isNotebook: (path) => path.endsWith('.ipynb'),
};

let browser: FakeWindow;
let urls: NotebookUrls;
let changes: number;

/** Loads the page; JupyterLab drops the query when it opens the document. */
function load(path: string, { isNavigation = true, before = browser } = {}): void {
  browser = new FakeWindow(path);
  browser.stored = before?.stored ?? new Map();
  urls = new NotebookUrls(
    browser,
    new OpeningUrl(ORIGIN + path, isNavigation, documents),
    documents,
  );
  changes = 0;
  urls.addEventListener('change', () => {
    changes += 1;
  });
  urls.start();
}

function open(path: string | null, kernelId: string | null = `kernel of ${path}`): KernelOwner {
  const owner = urls.add(() => (path === null ? [] : [path]));
  urls.setKernel(owner, kernelId);
  return owner;
}

/** Brings to the front as JupyterLab does: its own entry comes first. */
async function front(owner: KernelOwner | null, hasPath = true): Promise<void> {
  browser.push(documents.pathnameOf((hasPath && owner?.paths()[0]) || null));
  urls.setFront(owner, hasPath && owner !== null);
  await turn();
}

const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));
const partsOf = (owner: KernelOwner) => {
  const { search, hash, known } = urls.url(owner.kernelId ?? '');
  return [search, hash, known];
};

beforeEach(() => {
  browser = new FakeWindow('/');
});

test.each([
  ['/lab/tree/a.ipynb', 'a.ipynb'],
  ['/user/ann/lab/workspaces/auto-Z/tree/sub/a%20b.ipynb', 'sub/a b.ipynb'],
  ['/doc/tree/lab/tree/a.ipynb', 'lab/tree/a.ipynb'],
  ['/lab/tree/folder/', 'folder'],
  ['/lab', null],
  ['/lab/workspaces/w', null],
  ['/lab/tree/%zz', null],
  ['/notebooks/a.ipynb', null],
])('%s names %s', (pathname, path) => {
  expect(documentPathOf(pathname)).toBe(path);
});

describe('the query that the page was opened with', () => {
  test('belongs to the notebook that the URL names', () => {
    load('/lab/tree/a.ipynb?token=secret&n=%20&reset&clone=w#part');
    const [b, a] = [open('b.ipynb'), open('a.ipynb')];
    expect(partsOf(a)).toEqual(['?n=%20', '#part', true]);
    expect(partsOf(b)).toEqual(['', '', true]);
    expect([a.query, b.query]).toEqual(['n=%20&reset&clone=w', '']);
  });

  test.each([
    '/lab?n=1#x',
    '/lab/workspaces/w?n=1#x',
    '/lab/tree/folder?n=1#x',
    '/lab/tree/x.py?n=1#x',
  ])('belongs to every kernel if it names none: %s', (path) => {
    load(path);
    for (const owner of [open('a.ipynb'), open(null)]) {
      expect([partsOf(owner), owner.query]).toEqual([['?n=1', '#x', true], 'n=1']);
    }
  });

  test('also if another notebook has had its kernel before', () => {
    load('/lab/tree/a.ipynb?n=1');
    const b = open('b.ipynb', 'shared');
    open('a.ipynb', 'shared');
    expect(partsOf(b)).toEqual(['?n=1', '', true]);
  });

  test('goes on to the next kernel of its notebook as it is then', () => {
    load('/lab/tree/a.ipynb?n=1');
    const a = open('a.ipynb', 'one');
    urls.write('one', { search: '?n=2' });
    urls.setKernel(a, null);
    urls.setKernel(a, 'two');
    expect([partsOf(a), a.query]).toEqual([['?n=2', '', true], 'n=1']);
  });
});

describe('what the kernel has counts', () => {
  test('after its last notebook was closed', () => {
    load('/lab/tree/a.ipynb?n=1');
    const [one, two] = [open('a.ipynb', 'k'), open('b.ipynb', 'k')];
    urls.remove(one);
    expect(partsOf(two)).toEqual(['?n=1', '', true]);
    urls.remove(two);
    expect(partsOf(open('a.ipynb', 'k'))[2]).toBe(false);
  });

  test('whatever comes late for one that was closed', async () => {
    load('/lab/tree/a.ipynb?n=1');
    const [a, view] = [open('a.ipynb', 'shared'), open('b.ipynb', 'shared')];
    const closed: boolean[] = [];
    urls.addEventListener('change', () => closed.push(urls.isClosed('shared')));
    urls.remove(view);
    expect([closed.at(-1), urls.isClosed('never opened')]).toEqual([false, false]);
    urls.remove(a);
    expect(closed.at(-1)).toBe(true); // Said while the kernel can still be told.
    urls.write('shared', { search: '?n=2' });
    const again = open('a.ipynb', 'shared');
    expect([urls.isClosed('shared'), urls.url('shared').known]).toEqual([false, false]);
    urls.setFront(again, true);
    await turn();
    expect(browser.address).not.toContain('n=2');
  });

  test('after a reload, except for the notebook that the URL names', () => {
    load('/lab/tree/a.ipynb?n=1');
    open('a.ipynb');
    open('b.ipynb');
    load('/lab/tree/a.ipynb?n=2', { isNavigation: false });
    expect(partsOf(open('a.ipynb'))).toEqual(['?n=2', '', true]);
    expect(partsOf(open('b.ipynb'))[2]).toBe(false);
    expect(partsOf(open('new.ipynb'))).toEqual(['', '', true]);
  });

  test('after a reload with a console in front, but not of an address that was edited', () => {
    load('/lab?n=1');
    open('a.ipynb');
    load('/lab?n=2', { isNavigation: false });
    expect(partsOf(open('a.ipynb'))[2]).toBe(false);
    load('/lab?n=3');
    expect(partsOf(open('a.ipynb'))).toEqual(['?n=3', '', true]);
  });

  test('until it is written', async () => {
    load('/lab/tree/a.ipynb');
    urls.remove(open('b.ipynb', 'k'));
    const b = open('b.ipynb', 'k');
    await front(b);
    browser.replace('/lab/tree/b.ipynb?n=1');
    urls.write('k', { search: '?n=5', hash: '#x' });
    expect([partsOf(b), browser.address]).toEqual([
      ['?n=5', '#x', true],
      '/lab/tree/b.ipynb?n=5#x',
    ]);
  });

  test('where the browser stores nothing, only as long as the page is there', () => {
    const refuse = () => {
      throw new Error('SecurityError');
    };
    browser = new FakeWindow('/lab');
    browser.sessionStorage = { getItem: refuse, setItem: refuse };
    const opening = new OpeningUrl(`${ORIGIN}/lab`, true, documents);
    urls = new NotebookUrls(browser, opening, documents);
    urls.remove(open('a.ipynb'));
    expect(partsOf(open('a.ipynb'))[2]).toBe(false);
  });
});

describe('the address bar', () => {
  test('shows the notebook in front, after JupyterLab has written its path', async () => {
    load('/lab');
    const [a, b] = [open('a.ipynb'), open('b c.ipynb')];
    urls.write('kernel of a.ipynb', { search: '?n=1', hash: '#x' });
    expect(browser.address).toBe('/lab');
    await front(a);
    expect(browser.address).toBe('/lab/tree/a.ipynb?n=1#x');
    await front(b);
    expect(browser.address).toBe('/lab/tree/b%20c.ipynb');
    urls.write('kernel of b c.ipynb', { search: '?n=2' });
    urls.write('kernel of a.ipynb', { search: '?n=3' });
    expect(browser.address).toBe('/lab/tree/b%20c.ipynb?n=2');
    await front(null);
    expect([browser.address, urls.kernelInFront]).toEqual(['/lab', null]);
    await front(a);
    expect(browser.address).toBe('/lab/tree/a.ipynb?n=3#x');
  });

  test('shows the query of an output or console with the path that JupyterLab has', async () => {
    load('/lab');
    const a = open('a.ipynb');
    urls.write('kernel of a.ipynb', { search: '?n=1' });
    await front(a, false);
    expect(browser.address).toBe('/lab?n=1');
    browser.push('/lab/tree/folder'); // The file browser has gone there.
    await turn();
    expect(browser.address).toBe('/lab/tree/folder?n=1');
    expect(urls.url('kernel of a.ipynb').pathname).toBe('/lab/tree/a.ipynb');
  });

  test('is not touched before JupyterLab has read it', async () => {
    load('/lab/tree/a.ipynb?n=1');
    browser.listeners.clear();
    const opening = new OpeningUrl(browser.location.href, true, documents);
    urls = new NotebookUrls(browser, opening, documents);
    urls.setFront(open('b.ipynb'), true);
    urls.write('kernel of b.ipynb', { search: '?n=2' });
    await turn();
    expect(browser.address).toBe('/lab/tree/a.ipynb?n=1');
    urls.start();
    await turn();
    expect(browser.address).toBe('/lab/tree/b.ipynb?n=2');
  });

  test('shows the query once the kernel is there', async () => {
    load('/lab/tree/a.ipynb?n=1');
    const a = open('a.ipynb', null);
    await front(a);
    urls.setKernel(a, 'k');
    await turn();
    expect(browser.address).toBe('/lab/tree/a.ipynb?n=1');
  });

  test('follows a renamed notebook, whose query stays', async () => {
    load('/lab');
    let path = 'a.ipynb';
    const a = urls.add(() => [path]);
    urls.setKernel(a, 'k');
    await front(a);
    urls.write('k', { search: '?n=1' });
    path = 'b.ipynb';
    browser.push('/lab/tree/b.ipynb');
    urls.rename(a);
    await turn();
    expect(browser.address).toBe('/lab/tree/b.ipynb?n=1');
    expect(urls.url('k').pathname).toBe('/lab/tree/b.ipynb');
  });

  test('keeps the query when JupyterLab writes again what a reset has left', async () => {
    load('/lab/tree/a.ipynb?n=1&reset=1');
    const a = open('a.ipynb');
    await front(a);
    urls.write('kernel of a.ipynb', { search: '?n=5' });
    browser.push('/lab/tree/a.ipynb?n=1');
    await turn();
    expect(browser.address).toBe('/lab/tree/a.ipynb?n=5');
    browser.push('/lab/tree/a.ipynb?n=6');
    expect(partsOf(a)).toEqual(['?n=6', '', true]);
  });
});

describe.each([['with'], ['without']])('%s the Navigation API', (api) => {
  let a: KernelOwner;
  let b: KernelOwner;

  beforeEach(async () => {
    load('/lab');
    if (api === 'without') {
      browser.navigation = undefined;
      browser.listeners.clear();
      urls.start();
    }
    a = open('a.ipynb');
    b = open('b.ipynb');
    await front(a);
    urls.write('kernel of a.ipynb', { search: '?n=1' });
    await front(b);
    urls.write('kernel of a.ipynb', { search: '?n=2' });
    changes = 0;
  });

  function poll(): void {
    for (const callback of browser.polls) {
      callback();
    }
  }

  test('going back applies to the notebook that the URL names, and to no other', () => {
    browser.go(-1);
    expect([partsOf(a), partsOf(b)]).toEqual([
      ['?n=1', '', true],
      ['', '', true],
    ]);
    expect([urls.kernelInFront, changes]).toEqual([b.kernelId, 1]);
    expect(browser.address).toBe('/lab/tree/a.ipynb?n=1');
    browser.go(-1); // No notebook.
    expect([partsOf(a)[0], partsOf(b)[0]]).toEqual(['?n=1', '']);
  });

  test('a write of the notebook in front then brings its own path', () => {
    browser.go(-1);
    urls.write('kernel of b.ipynb', { search: '?n=5' });
    expect(browser.address).toBe('/lab/tree/b.ipynb?n=5');
    expect(partsOf(a)[0]).toBe('?n=1');
  });

  test('an edit applies to the notebook that it names, if it is open', () => {
    browser.push('#edited');
    poll();
    expect(partsOf(b)).toEqual(['', '#edited', true]);
    browser.replace('/lab/tree/a.ipynb?n=7');
    poll();
    expect(partsOf(a)[0]).toBe('?n=7');
    browser.replace('/lab/tree/closed.ipynb?n=8');
    poll();
    expect([partsOf(a)[0], partsOf(b)]).toEqual(['?n=7', ['', '#edited', true]]);
  });

  test('an edit with an output or console in front is for its kernel', async () => {
    await front(a, false);
    browser.push('#edited');
    poll();
    expect(partsOf(a)).toEqual(['?n=2', '#edited', true]);
    browser.replace('/lab/tree/closed.ipynb?n=8');
    poll();
    expect(partsOf(a)).toEqual(['?n=2', '#edited', true]);
  });
});

test('the path of a shared kernel is that of the notebook last in front', async () => {
  load('/lab');
  const [a, b] = [open('a.ipynb', 'k'), open('b.ipynb', 'k')];
  await front(b);
  expect(urls.url('k').pathname).toBe('/lab/tree/b.ipynb');
  await front(a);
  expect(urls.url('k').pathname).toBe('/lab/tree/a.ipynb');
  await front(open(null, 'k'), false);
  expect(urls.url('k').pathname).toBe('/lab/tree/a.ipynb');
});
