import type { LocationParts, Navigate } from '../shared/pageMessages';
import { isSecret, pickParameters, queryOf } from '../shared/query';
import type { Address } from './address';
import type { Browser } from './browser';

/**
 * Lets a number of calls through at once, and later ones at a steady rate.
 *
 * Browsers drop calls of `history.pushState` beyond 200 in 10 s (Safari raises an error), and a
 * slider that writes the URL makes more. Each call lost would be one the kernel believes in.
 */
export class Pace {
  private tokens: number;
  private filledAt: number;

  constructor(
    private readonly now: () => number,
    private readonly burst = 50,
    private readonly intervalMs = 100,
  ) {
    this.tokens = burst;
    this.filledAt = now();
  }

  /** Take a turn; returns 0, or after how many ms to ask again. */
  take(): number {
    const gained = Math.floor((this.now() - this.filledAt) / this.intervalMs);
    this.tokens = Math.min(this.burst, this.tokens + gained);
    this.filledAt += gained * this.intervalMs;
    if (this.tokens === 0) {
      return this.filledAt + this.intervalMs - this.now();
    }
    this.tokens -= 1;
    return 0;
  }
}

/**
 * The URL that a page's URL becomes with these parts; null if it would leave this site.
 *
 * The setters of `URL` change one part each, and none of them can change the scheme or the host. The
 * parameters that the kernel never sees (`token`) stay: without them a reload would ask for a login.
 */
export function targetUrl(href: string, parts: LocationParts): string | null {
  const { pathname, search, hash } = parts;
  if (![pathname, search, hash].every((part) => part === undefined || typeof part === 'string')) {
    return null;
  }
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return null;
  }
  const { origin } = url;
  if (pathname !== undefined) {
    if (!pathname.startsWith('/')) {
      return null;
    }
    url.pathname = pathname;
    if (url.pathname.startsWith('//')) {
      return null; // Whoever takes only the path of this would read a host.
    }
  }
  if (search !== undefined) {
    url.search = withSecrets(search, href);
  }
  if (hash !== undefined) {
    url.hash = hash;
  }
  return url.origin === origin ? url.href : null;
}

/** True if loading one URL in the other's place would load nothing: only the hash differs. */
export function isSameDocument(a: string, b: string): boolean {
  return withoutHash(a) === withoutHash(b);
}

function withSecrets(search: string, href: string): string {
  const secrets = pickParameters(queryOf(href), isSecret);
  const said = pickParameters(queryOf(search), isSecret);
  if (secrets.length === 0 || said.length > 0) {
    return search;
  }
  return search === '' || search === '?'
    ? `?${secrets.join('&')}`
    : `${search}&${secrets.join('&')}`;
}

function withoutHash(url: string): string {
  return url.split('#', 1)[0] ?? '';
}

type Pending = Pick<Navigate, 'serial' | 'history' | 'reload'> & { readonly parts: LocationParts };

/** Writes the page's URL as the kernel says, no faster than browsers allow. */
export class Navigator {
  /** The `serial` of the last command that the page's URL knows of. */
  applied = 0;
  private pending: Pending | undefined;
  private timer: unknown;
  private readonly pace: Pace;

  constructor(
    private readonly browser: Browser,
    private readonly address: Address,
    /** Called when commands have been dealt with. */
    private readonly done: () => void,
  ) {
    this.pace = new Pace(() => browser.performance.now());
  }

  navigate(command: Navigate): void {
    const before = this.pending;
    this.pending = before
      ? {
          ...command,
          parts: { ...before.parts, ...command.parts },
          history: before.history === 'push' ? 'push' : command.history,
          reload: before.reload || command.reload,
        }
      : command;
    if (this.timer === undefined) {
      this.turn();
    }
  }

  stop(): void {
    this.browser.clearTimeout(this.timer);
    this.pending = undefined;
  }

  private turn(): void {
    this.timer = undefined;
    const wait = this.pace.take();
    if (wait > 0) {
      this.timer = this.browser.setTimeout(() => this.turn(), wait);
      return;
    }
    const command = this.pending;
    if (command) {
      this.pending = undefined;
      this.applied = command.serial; // First: the browser tells of the change while we make it.
      this.apply(command);
      this.done();
    }
  }

  private apply({ parts, history, reload }: Pending): void {
    const { address } = this;
    const { location } = this.browser;
    const { href } = address;
    const target = targetUrl(href, parts);
    if (target === null) {
      console.warn('nbsession: the kernel asked for a URL of another site, or none', parts);
    } else if (reload && address.canLoad && !isSameDocument(href, target)) {
      if (history === 'push') {
        location.assign(target);
      } else {
        location.replace(target);
      }
    } else {
      address.write(target, history);
      if (reload && address.canLoad) {
        location.reload();
      }
    }
  }
}
