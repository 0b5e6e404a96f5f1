import { SECRET_PARAMETERS, stripUrlParameters } from '../shared/query';
import type { PageInfo, PageLocation } from '../shared/wire';

/** The part of `window` that the page model uses. */
export interface Browser {
  readonly location: PageLocation;
  readonly navigator: { readonly language: string };
  readonly crypto: { getRandomValues(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> };
  readonly devicePixelRatio: number;
  matchMedia(query: string): { readonly matches: boolean };
  addEventListener(type: PageEvent, listener: (event: PageTransition) => void): void;
  removeEventListener(type: PageEvent, listener: (event: PageTransition) => void): void;
}

export type PageEvent = 'pagehide' | 'pageshow';
export type PageTransition = { readonly persisted: boolean };

const PAGE_ID = Symbol.for('nbsession.page');

/** The id of this browser document: made once, found again by other models and after a hot reload. */
export function pageId(browser: Browser): string {
  const document = browser as Browser & { [PAGE_ID]?: string };
  document[PAGE_ID] ??= newUuid(browser.crypto);
  return document[PAGE_ID];
}

export function pageInfo(browser: Browser): PageInfo {
  return {
    language: browser.navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    timezone_offset: new Date().getTimezoneOffset(),
    dark_mode: browser.matchMedia('(prefers-color-scheme: dark)').matches,
    device_pixel_ratio: browser.devicePixelRatio,
  };
}

export function pageLocation({ location }: Browser): PageLocation {
  return {
    href: stripUrlParameters(location.href, SECRET_PARAMETERS),
    origin: location.origin,
    protocol: location.protocol,
    hostname: location.hostname,
    port: location.port,
    pathname: location.pathname,
    search: stripUrlParameters(location.search, SECRET_PARAMETERS),
    hash: location.hash,
  };
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
