import type { LocationParts, Navigate } from '../shared/wire';
import { type Browser, isJupyterLab } from './browser';
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
    const { location } = this.browser;
    const target = targetUrl(location.href, parts);
    if (target === null) {
      console.warn('nbsession: the kernel asked for a URL of another site, or none', parts);
    } else if (reload && !isSameDocument(location.href, target)) {
      if (history === 'push') {
        location.assign(target);
      } else {
        location.replace(target);
      }
    } else {
      this.write(target, history);
      if (reload) {
        location.reload();
      }
    }
  }

  private write(target: string, history: Navigate['history']): void {
    const { location, history: session } = this.browser;
    if (target === location.href) {
      return; // So that two models in one document make one entry.
    }
    try {
      // JupyterLab's router puts its own URL over ours; going back to that would be a surprise.
      if (history === 'push' && !isJupyterLab(this.browser)) {
        session.pushState(null, '', target);
      } else {
        session.replaceState(session.state, '', target);
      }
    } catch (error) {
      console.warn('nbsession: the browser refused to change the URL', error);
    }
  }
}
