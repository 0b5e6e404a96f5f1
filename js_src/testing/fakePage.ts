/** A browser page and a model for tests, with the rules that matter of the real ones. */
import { NOTEBOOKS, type Notebooks, type NotebookUrl } from '../shared/notebooks';
import type { KernelMessage, PageMessage } from '../shared/pageMessages';
import type { Browser, Events } from '../widget/browser';
import type { Manager, PageModel } from '../widget/page';

type Listener = (event: object) => void;

export class FakeModel implements PageModel {
  widget_manager: Manager | undefined = undefined;
  sent: PageMessage[] = [];
  callbacks = new Set<(message: KernelMessage) => void>();
  dead = false;

  send(message: PageMessage): void {
    if (this.dead) {
      throw new Error('Cannot send');
    }
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
  /** Takes out the messages of a kind. */
  take<Kind extends PageMessage['kind']>(kind: Kind): Extract<PageMessage, { kind: Kind }>[] {
    const taken = this.sent.filter((message) => message.kind === kind);
    this.sent = this.sent.filter((message) => message.kind !== kind);
    return taken as Extract<PageMessage, { kind: Kind }>[];
  }
}

/** A kernel connection, as the widget manager has it. */
export class FakeKernel {
  private readonly slots: (() => void)[] = [];
  disposed = { connect: (slot: () => void) => this.slots.push(slot) };

  constructor(readonly id: string) {}
  dispose(): void {
    for (const slot of this.slots) {
      slot();
    }
  }
}

/** What JupyterLab's part publishes. */
export class FakeNotebooks extends EventTarget implements Notebooks {
  kernelInFront: string | null = 'k1';
  urls = new Map<string, NotebookUrl>();
  closed = new Set<string>();
  listenerCount = 0;

  url(kernelId: string): NotebookUrl {
    const empty = { pathname: `/lab/tree/${kernelId}.ipynb`, search: '', hash: '', known: true };
    return this.urls.get(kernelId) ?? empty;
  }
  isClosed(kernelId: string): boolean {
    return this.closed.has(kernelId);
  }
  setClosed(kernelId: string, isClosed: boolean): void {
    this.closed[isClosed ? 'add' : 'delete'](kernelId);
    this.dispatchEvent(new Event('change'));
  }
  write(kernelId: string, parts: Partial<NotebookUrl>): void {
    this.urls.set(kernelId, { ...this.url(kernelId), known: true, ...parts });
    this.dispatchEvent(new Event('change'));
  }
  override addEventListener(type: 'change', listener: () => void): void {
    this.listenerCount += 1;
    super.addEventListener(type, listener);
  }
  override removeEventListener(type: 'change', listener: () => void): void {
    this.listenerCount -= 1;
    super.removeEventListener(type, listener);
  }
}

class FakeEvents implements Events {
  listeners = new Set<readonly [string, Listener]>();

  addEventListener(type: string, listener: Listener): void {
    this.listeners.add([type, listener]);
  }
  removeEventListener(type: string, listener: Listener): void {
    for (const entry of this.listeners) {
      if (entry[0] === type && entry[1] === listener) {
        this.listeners.delete(entry);
      }
    }
  }
  fire(type: string, event: object = {}): void {
    for (const [listened, listener] of [...this.listeners]) {
      if (listened === type) {
        listener(event);
      }
    }
  }
}

export class FakeDocument extends FakeEvents {
  title = 'a notebook';
  visibilityState = 'visible';
  light: string | null = 'true';
  focused = true;
  config: string | null = null;
  titleElement = {} as Node;
  body = { getAttribute: () => this.light } as unknown as Browser['document']['body'];

  hasFocus(): boolean {
    return this.focused;
  }
  getElementById(): { textContent: string | null } | null {
    return this.config === null ? null : { textContent: this.config };
  }
  querySelector(): Node | null {
    return this.titleElement;
  }
}

export class FakeScheme extends FakeEvents {
  matches = true;
}

export class FakeBrowser extends FakeEvents implements Browser {
  [NOTEBOOKS]: Notebooks | undefined;
  stored = new Map<string, string>();
  sessionStorage = {
    getItem: (key: string) => this.stored.get(key) ?? null,
    setItem: (key: string, value: string) => void this.stored.set(key, value),
    removeItem: (key: string) => void this.stored.delete(key),
  };
  navigator = { language: 'de-DE' };
  crypto = { getRandomValues: (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array) };
  devicePixelRatio = 2;
  document = new FakeDocument();
  scheme = new FakeScheme();
  navigation: FakeEvents | undefined = new FakeEvents();
  entries: string[];
  index = 0;
  /** What was loaded: `assign`, `replace` or `reload`, and the URL. */
  loads: string[] = [];
  now = 0;
  timers = new Map<number, { callback: () => void; at: number; every: number | undefined }>();
  observers = new Set<() => void>();
  refuses = false;
  private timer = 0;

  constructor(href = 'http://h:8866/app/render/a.ipynb?token=secret&n=3#part') {
    super();
    this.entries = [href];
  }

  get location(): Browser['location'] {
    const { href, origin, protocol, hostname, port, pathname, search, hash } = new URL(
      this.entries[this.index] ?? '',
    );
    const load = (how: string) => (url: string) => void this.loads.push(`${how} ${url}`);
    return {
      ...{ href, origin, protocol, hostname, port, pathname, search, hash },
      assign: load('assign'),
      replace: load('replace'),
      reload: () => load('reload')(this.location.href),
    };
  }

  history = {
    state: { of: 'another' },
    pushState: (_state: unknown, _: '', url: string) => this.write(url, this.index + 1),
    replaceState: (_state: unknown, _: '', url: string) => this.write(url, this.index),
  };

  performance = { now: () => this.now };

  get MutationObserver(): Browser['MutationObserver'] {
    const { observers } = this;
    return class {
      constructor(private readonly changed: () => void) {}
      observe(): void {
        observers.add(this.changed);
      }
      disconnect(): void {
        observers.delete(this.changed);
      }
    };
  }

  matchMedia(query: string): FakeScheme {
    if (query !== '(prefers-color-scheme: dark)') {
      throw new Error(query);
    }
    return this.scheme;
  }
  setTimeout(callback: () => void, ms: number): unknown {
    return this.addTimer(callback, ms, undefined);
  }
  setInterval(callback: () => void, ms: number): unknown {
    return this.addTimer(callback, ms, ms);
  }
  clearTimeout(timer: unknown): void {
    this.timers.delete(timer as number);
  }
  clearInterval(timer: unknown): void {
    this.timers.delete(timer as number);
  }

  /** What another script or the user does. */
  go(step: number): void {
    this.index += step;
    this.changed('popstate');
  }
  mutate(): void {
    for (const changed of [...this.observers]) {
      changed();
    }
  }
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = [...this.timers]
        .filter(([, { at }]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at)[0];
      if (!next) {
        break;
      }
      const [id, { at, callback, every }] = next;
      this.now = at;
      if (every === undefined) {
        this.timers.delete(id);
      } else {
        this.timers.set(id, { callback, at: at + every, every });
      }
      callback();
    }
    this.now = end;
  }
  get listenerCount(): number {
    const targets = [this, this.document, this.scheme, this.navigation];
    const listeners = targets.reduce((sum, target) => sum + (target?.listeners.size ?? 0), 0);
    return listeners + this.observers.size + this.timers.size;
  }

  private write(url: string, index: number): void {
    const target = new URL(url, this.location.href);
    if (this.refuses || target.origin !== this.location.origin) {
      throw new Error('SecurityError');
    }
    this.entries = [...this.entries.slice(0, index), target.href];
    this.index = index;
    this.changed();
  }
  private changed(event?: string): void {
    this.navigation?.fire('currententrychange');
    if (event) {
      this.fire(event);
    }
  }
  private addTimer(callback: () => void, ms: number, every: number | undefined): number {
    this.timer += 1;
    this.timers.set(this.timer, { callback, at: this.now + ms, every });
    return this.timer;
  }
}
