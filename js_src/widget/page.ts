/**
 * The hidden page model: tells the kernel which pages show it, and where they are.
 *
 * anywidget calls `initialize` in every page that opens the kernel's notebook, without any view. What
 * it returns is called when the model goes.
 */
import type { KernelMessage, PageMessage } from '../shared/pageMessages';
import { type Address, addressOf } from './address';
import {
  type Browser,
  noteLeaving,
  pageDocument,
  pageId,
  pageInfo,
  replacedPage,
  watchDocument,
  watchFocus,
} from './browser';
import { Navigator } from './navigator';
import { receiveAlways } from './reception';

/** Waiting until the widgets of a page are made. */

/** After this long it begins all the same: a widget whose code cannot be loaded is never made. */
export const PATIENCE_MS = 2000;

/** The part of JupyterLab's kernel connection that we use; Voilà's is the same. */
interface Kernel {
  readonly id: string;
  readonly disposed?: { connect(slot: () => void): unknown };
}

/** The part of ipywidgets' manager that we use. */
export interface Manager {
  readonly kernel?: Kernel | null | undefined;
  /** All models, those that are being made too. Not public, but there is no other list. */
  readonly _models?: Readonly<Record<string, Promise<unknown>>>;
}

export interface Clock {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/**
 * Begins when the page has made its widgets; returns what ends it.
 *
 * A change from Python to a model that is being made is lost. So a page must not say that it is there
 * before: Python answers with changes.
 */
export function whenMade(
  manager: Manager | undefined,
  clock: Clock,
  begin: () => () => void,
): () => void {
  const models = Object.values(manager?._models ?? {});
  if (models.length === 0) {
    return begin();
  }
  let end: (() => void) | undefined;
  let waiting = true;
  const go = () => {
    if (waiting) {
      waiting = false;
      clock.clearTimeout(timer);
      end = begin();
    }
  };
  const timer = clock.setTimeout(go, PATIENCE_MS);
  void Promise.allSettled(models).then(go);
  return () => {
    waiting = false;
    clock.clearTimeout(timer);
    end?.();
  };
}

/** The part of anywidget's model that we use. */
export interface PageModel {
  readonly widget_manager?: Manager | undefined;
  get?(trait: string): unknown;
  send(message: PageMessage): void;
  on(event: 'msg:custom', callback: (message: KernelMessage) => void): void;
  off(event: 'msg:custom', callback: (message: KernelMessage) => void): void;
}

/** Reports this page to the kernel and does what the kernel says; returns what ends it. */
export function connect(model: PageModel, browser: Browser): () => void {
  const connection = new Connection(model, browser);
  connection.start();
  return () => connection.end();
}

class Connection {
  private readonly page: string;
  private readonly address: Address;
  private readonly navigator: Navigator;
  private readonly undos: (() => void)[] = [];
  private reported = { href: '', applied: 0, document: '', appliedTitle: 0 };
  private appliedTitle = 0;
  private isClosed = false;

  constructor(
    private readonly model: PageModel,
    private readonly browser: Browser,
  ) {
    this.page = pageId(browser);
    this.address = addressOf(browser, model.widget_manager?.kernel?.id);
    this.navigator = new Navigator(browser, this.address, () => this.reportLocation());
  }

  start(): void {
    const { browser, model } = this;
    const receive = (message: KernelMessage) => this.receive(message);
    const hide = () => {
      noteLeaving(browser);
      this.goodbye();
    };
    const show = (event: object) => {
      if ((event as PageTransitionEvent).persisted) {
        this.hello(false); // Back from the browser's page cache, after a goodbye.
      }
    };
    model.on('msg:custom', receive);
    browser.addEventListener('pagehide', hide);
    browser.addEventListener('pageshow', show);
    this.undos.push(
      () => model.off('msg:custom', receive),
      () => browser.removeEventListener('pagehide', hide),
      () => browser.removeEventListener('pageshow', show),
      () => this.navigator.stop(),
      this.address.watch(() => this.followAddress()),
      watchDocument(browser, () => this.reportDocument()),
      watchFocus(browser, () => this.send({ kind: 'focus', page: this.page })),
    );
    // JupyterLab keeps the models of a closed notebook, whose messages go nowhere.
    model.widget_manager?.kernel?.disposed?.connect(() => this.end());
    const replaced = replacedPage(browser);
    if (replaced !== null) {
      this.goodbye(replaced); // The browser may have dropped its own.
    }
    this.hello(false);
  }

  end(): void {
    for (const undo of this.undos.splice(0)) {
      undo();
    }
  }

  private receive(message: KernelMessage): void {
    if (message.kind === 'ping') {
      this.hello(true);
    } else if (message.page !== this.page) {
      return; // Another window's.
    } else if (message.kind === 'navigate') {
      this.navigator.navigate(message);
    } else if (message.kind === 'title') {
      this.browser.document.title = message.title;
      this.appliedTitle = message.serial;
      this.reportDocument();
    }
  }

  private hello(answer: boolean): void {
    const { browser, page } = this;
    const { known, location } = this.address;
    const document = pageDocument(browser);
    this.reported.href = location.href;
    const info = pageInfo(browser);
    this.reported.document = JSON.stringify([document, info]);
    const focused = browser.document.hasFocus();
    this.send({ kind: 'hello', page, answer, focused, info, location, known, document });
  }

  private goodbye(page = this.page): void {
    this.send({ kind: 'goodbye', page });
  }

  /** Reports the URL, or that the page shows the kernel no more: the connection ends without a word. */
  private followAddress(): void {
    const { isClosed } = this.address;
    if (isClosed !== this.isClosed) {
      this.isClosed = isClosed;
      isClosed ? this.goodbye() : this.hello(false);
    } else if (!isClosed) {
      this.reportLocation();
    }
  }

  /** Reports what is news: another URL, or that a command has been dealt with. */
  private reportLocation(): void {
    const { navigator, page, reported } = this;
    const { known, location } = this.address;
    const { applied } = navigator;
    if (location.href !== reported.href || applied !== reported.applied) {
      Object.assign(reported, { href: location.href, applied });
      this.send({ kind: 'location', page, applied, location, known });
    }
  }

  private reportDocument(): void {
    const { appliedTitle: applied, browser, page, reported } = this;
    const document = pageDocument(browser);
    const info = pageInfo(browser);
    const text = JSON.stringify([document, info]);
    if (text !== reported.document || applied !== reported.appliedTitle) {
      Object.assign(reported, { document: text, appliedTitle: applied });
      this.send({ kind: 'document', page, applied, document, info });
    }
  }

  private send(message: PageMessage): void {
    try {
      this.model.send(message);
    } catch {
      this.end(); // The comm has gone with its kernel; a new kernel makes a new model.
    }
  }
}

export default {
  initialize({ model }: { model: PageModel }): () => void {
    receiveAlways(model.widget_manager, model);
    return whenMade(model.widget_manager, window, () => connect(model, window));
  },
};
