import type { PageDocument, PageInfo, PageLocation } from '../shared/pageMessages';
import { isSecret, stripUrlParameters } from '../shared/query';

type Listener = (event: object) => void;

export interface Events {
  addEventListener(type: string, listener: Listener): void;
  removeEventListener(type: string, listener: Listener): void;
}

/** The part of `window` that the page model uses. */
export interface Browser extends Events {
  readonly location: PageLocation & {
    assign(url: string): void;
    replace(url: string): void;
    reload(): void;
  };
  readonly history: {
    readonly state: unknown;
    pushState(state: unknown, unused: '', url: string): void;
    replaceState(state: unknown, unused: '', url: string): void;
  };
  /** The Navigation API, where there is one. */
  readonly navigation?: Events | undefined;
  readonly document: Events & {
    title: string;
    readonly visibilityState: string;
    readonly body: Node & { getAttribute(name: string): string | null };
    hasFocus(): boolean;
    getElementById(id: string): { readonly textContent: string | null } | null;
    querySelector(selector: 'title'): Node | null;
  };
  readonly sessionStorage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly navigator: { readonly language: string };
  readonly performance: { now(): number };
  readonly crypto: { getRandomValues(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> };
  readonly devicePixelRatio: number;
  matchMedia(query: string): Events & { readonly matches: boolean };
  readonly MutationObserver: new (
    changed: () => void,
  ) => Pick<MutationObserver, 'observe' | 'disconnect'>;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  setInterval(callback: () => void, ms: number): unknown;
  clearInterval(timer: unknown): void;
}

/** On the body: 'true' or 'false', in JupyterLab, Notebook 7 and Voilà. */
export const THEME_ATTRIBUTE = 'data-jp-theme-light';
export const DARK_QUERY = '(prefers-color-scheme: dark)';

const PAGE_ID = Symbol.for('nbsession.page');

/** The id of this browser document: made once, found again by other models and after a hot reload. */
export function pageId(browser: Browser): string {
  const document = browser as Browser & { [PAGE_ID]?: string };
  document[PAGE_ID] ??= newUuid(browser.crypto);
  return document[PAGE_ID];
}

const LEFT = Symbol.for('nbsession.left');
const LEFT_KEY = 'nbsession.left';

/** Notes that this document goes, for the one that its tab shows next. */
export function noteLeaving(browser: Browser): void {
  try {
    browser.sessionStorage?.setItem(LEFT_KEY, pageId(browser));
  } catch {
    // The browser allows no storage.
  }
}

/** The id of the document that this one has replaced in its tab, as by a reload; null if it is none of ours. */
export function replacedPage(browser: Browser): string | null {
  const document = browser as Browser & { [LEFT]?: string | null };
  if (document[LEFT] === undefined) {
    document[LEFT] = null;
    try {
      document[LEFT] = browser.sessionStorage?.getItem(LEFT_KEY) ?? null;
      browser.sessionStorage?.removeItem(LEFT_KEY); // Another tab may begin with a copy of this one's.
    } catch {
      // The browser allows no storage.
    }
  }
  return document[LEFT];
}

export function pageInfo(browser: Browser): PageInfo {
  return {
    language: browser.navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    timezone_offset: new Date().getTimezoneOffset(),
    dark_mode: browser.matchMedia(DARK_QUERY).matches,
    device_pixel_ratio: browser.devicePixelRatio,
  };
}

export function pageLocation(location: PageLocation): PageLocation {
  return {
    href: stripUrlParameters(location.href, isSecret),
    origin: location.origin,
    protocol: location.protocol,
    hostname: location.hostname,
    port: location.port,
    pathname: location.pathname,
    search: stripUrlParameters(location.search, isSecret),
    hash: location.hash,
  };
}

export function pageDocument(browser: Browser): PageDocument {
  const { body, title, visibilityState } = browser.document;
  const light = body.getAttribute(THEME_ATTRIBUTE);
  const isDark = light === null ? browser.matchMedia(DARK_QUERY).matches : light === 'false';
  return { title, theme: isDark ? 'dark' : 'light', visible: visibilityState === 'visible' };
}

/** True if JupyterLab itself is this page; its router rewrites the URL. */
export function isJupyterLab({ document }: Browser): boolean {
  try {
    const config = document.getElementById('jupyter-config-data')?.textContent ?? '{}';
    return JSON.parse(config).appName === 'JupyterLab';
  } catch {
    return false;
  }
}

/** A version 4 UUID. `crypto.randomUUID` is missing on plain http, where many servers live. */
function newUuid(crypto: Browser['crypto']): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const fixed = bytes.map((byte, i) =>
    i === 6 ? (byte & 0x0f) | 0x40 : i === 8 ? (byte & 0x3f) | 0x80 : byte,
  );
  const hex = Array.from(fixed, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** How often the URL is looked at where the browser does not tell of every change. */
export const POLL_MS = 1000;

/** Calls back when the URL may have changed; returns what ends it. */
export function watchLocation(browser: Browser, changed: () => void): () => void {
  if (browser.navigation) {
    return listen(browser.navigation, ['currententrychange'], changed);
  }
  const unlisten = listen(browser, ['popstate', 'hashchange'], changed);
  const timer = browser.setInterval(changed, POLL_MS); // pushState by other code fires nothing.
  return () => {
    unlisten();
    browser.clearInterval(timer);
  };
}

/** Calls back when title, theme or visibility may have changed; returns what ends it. */
export function watchDocument(browser: Browser, changed: () => void): () => void {
  const { document } = browser;
  const observer = new browser.MutationObserver(changed);
  const title = document.querySelector('title');
  if (title) {
    observer.observe(title, { childList: true, characterData: true, subtree: true });
  }
  observer.observe(document.body, { attributes: true, attributeFilter: [THEME_ATTRIBUTE] });
  const unlisten = listen(document, ['visibilitychange'], changed);
  const unlistenScheme = listen(browser.matchMedia(DARK_QUERY), ['change'], changed);
  return () => {
    observer.disconnect();
    unlisten();
    unlistenScheme();
  };
}

/** Calls back when the user turns to this page; returns what ends it. */
export function watchFocus(browser: Browser, focused: () => void): () => void {
  return listen(browser, ['focus'], focused);
}

function listen(target: Events, types: readonly string[], listener: () => void): () => void {
  for (const type of types) {
    target.addEventListener(type, listener);
  }
  return () => {
    for (const type of types) {
      target.removeEventListener(type, listener);
    }
  };
}
