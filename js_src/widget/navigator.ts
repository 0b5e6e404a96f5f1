import type { LocationParts, Navigate } from '../shared/wire';
import type { Address } from './address';
import type { Browser } from './browser';
import { Pace } from './pace';
import { isSameDocument, targetUrl } from './target';

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
