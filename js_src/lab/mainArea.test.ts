import { beforeEach, describe, expect, test } from 'vitest';
import { type DocumentContext, MainArea, type SessionContext } from './mainArea';
import { NotebookUrls, OpeningUrl } from './notebooks';

class FakeSignal<Args> {
  slots: ((sender: unknown, args: Args) => void)[] = [];
  connect(slot: (sender: unknown, args: Args) => void): void {
    this.slots.push(slot);
  }
  emit(args: Args): void {
    for (const slot of this.slots) {
      slot(this, args);
    }
  }
}

class FakeSessionContext implements SessionContext {
  session: { kernel: { id: string } | null } | null = null;
  kernelChanged = new FakeSignal<{ newValue: { id: string } | null }>();
  disposed = new FakeSignal<unknown>();

  constructor(kernelId?: string) {
    this.session = kernelId ? { kernel: { id: kernelId } } : null;
  }
  change(kernelId: string | null): void {
    this.kernelChanged.emit({ newValue: kernelId ? { id: kernelId } : null });
  }
}

class FakeContext implements DocumentContext {
  pathChanged = new FakeSignal<unknown>();
  disposed = new FakeSignal<unknown>();
  sessionContext: FakeSessionContext;

  constructor(
    public path: string,
    kernelId?: string,
    public localPath = path,
  ) {
    this.sessionContext = new FakeSessionContext(kernelId);
  }
}

const documents = {
  pathnameOf: (path: string | null) => (path ? `/lab/tree/${path}` : '/lab'),
  isNotebook: () => true,
};

let urls: NotebookUrls;
let area: MainArea;
let sent: [string, string][];

beforeEach(() => {
  const browser = {
    location: new URL('http://h/lab'),
    history: { state: null, replaceState: () => {} },
    sessionStorage: { getItem: () => null, setItem: () => {} },
    addEventListener: () => {},
    setInterval: () => {},
  };
  const opening = new OpeningUrl('http://h/lab/tree/a.ipynb?n=1', true, documents);
  urls = new NotebookUrls(browser, opening, documents);
  sent = [];
  area = new MainArea(urls, (kernelId, query) => sent.push([kernelId, query]));
});

describe('each kernel is given its part of the query', () => {
  test('as soon as it is there', () => {
    const context = new FakeContext('a.ipynb');
    area.addNotebook(context);
    context.sessionContext.change(null);
    expect(sent).toEqual([]);
    context.sessionContext.change('k1');
    context.sessionContext.change(null);
    context.sessionContext.change('k2');
    expect(sent).toEqual([
      ['k1', 'n=1'],
      ['k2', 'n=1'],
    ]);
  });

  test('an empty one at once if the URL names another notebook', () => {
    area.addNotebook(new FakeContext('b.ipynb', 'k1'));
    area.setFront({ sessionContext: new FakeSessionContext('k2') });
    expect(sent).toEqual([
      ['k1', ''],
      ['k2', ''],
    ]);
  });

  test('a drive is no other notebook', () => {
    area.addNotebook(new FakeContext('RTC:a.ipynb', 'k1', 'a.ipynb'));
    expect(sent).toEqual([['k1', 'n=1']]);
    expect(urls.url('k1').pathname).toBe('/lab/tree/RTC:a.ipynb');
  });

  test('once for two views of one notebook', () => {
    const context = new FakeContext('a.ipynb', 'k1');
    area.addNotebook(context);
    area.addNotebook(context);
    expect([sent.length, context.sessionContext.kernelChanged.slots.length]).toEqual([1, 1]);
  });
});

describe('in front is', () => {
  const front = () => urls.kernelInFront;

  test('the kernel of a notebook, a console or an output, and of nothing else', () => {
    const a = new FakeContext('a.ipynb', 'k1');
    area.addNotebook(a);
    area.setFront({ sessionContext: a.sessionContext });
    expect(front()).toBe('k1');
    area.setFront({});
    expect(front()).toBeNull();
    const output = { path: 'a.ipynb', hasClass: (name: string) => name === 'jp-LinkedOutputView' };
    area.setFront({ content: output });
    expect(front()).toBe('k1');
    area.setFront({ content: { path: 'a.ipynb', hasClass: () => false } });
    expect(front()).toBeNull();
    area.setFront({ sessionContext: new FakeSessionContext('k2') });
    expect(front()).toBe('k2');
    area.setFront(null);
    expect(front()).toBeNull();
  });

  test('a notebook of another extension, which has a path too', () => {
    const context = new FakeContext('a.ipynb', 'k1');
    area.setFront({ context, sessionContext: context.sessionContext });
    expect(sent).toEqual([['k1', 'n=1']]);
    expect(urls.url('k1').pathname).toBe('/lab/tree/a.ipynb');
    area.setFront({ context: new FakeContext('text.py', 'k2') });
    expect([front(), sent.length]).toEqual([null, 1]);
  });

  test('nothing after its notebook was closed', () => {
    const a = new FakeContext('a.ipynb', 'k1');
    area.addNotebook(a);
    area.setFront({ sessionContext: a.sessionContext });
    a.sessionContext.disposed.emit(undefined);
    expect(front()).toBeNull();
    expect(urls.url('k1').known).toBe(false);
  });
});

test('a renamed notebook has another path', () => {
  const a = new FakeContext('a.ipynb', 'k1');
  area.addNotebook(a);
  let changes = 0;
  urls.addEventListener('change', () => {
    changes += 1;
  });
  a.path = 'b.ipynb';
  a.pathChanged.emit(undefined);
  expect([urls.url('k1').pathname, changes]).toEqual(['/lab/tree/b.ipynb', 1]);
});
