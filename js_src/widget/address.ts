/** Where a kernel's URL is: the page's, or in JupyterLab that of one notebook among several. */
import { NOTEBOOKS, type Notebooks } from '../shared/notebooks';
import type { Navigate, PageLocation } from '../shared/pageMessages';
import { isSecret, stripUrlParameters } from '../shared/query';
import { type Browser, isJupyterLab, pageLocation, watchLocation } from './browser';

export interface Address {
  /** With the parameters that the kernel never sees. */
  readonly href: string;
  /** Without them. */
  readonly location: PageLocation;
  /** True if the page knows query and hash; else those that the kernel has count. */
  readonly known: boolean;
  /** True once the page has closed all that showed the kernel. */
  readonly isClosed: boolean;
  /** True if the kernel may load another page in this one's place. */
  readonly canLoad: boolean;
  /** Takes a URL of this site. */
  write(target: string, history: Navigate['history']): void;
  /** Calls back when the URL may have changed; returns what ends it. */
  watch(changed: () => void): () => void;
}

export function addressOf(browser: Browser, kernelId: string | undefined): Address {
  const notebooks = (browser as { [NOTEBOOKS]?: Notebooks })[NOTEBOOKS];
  return notebooks && kernelId !== undefined
    ? new NotebookAddress(browser, notebooks, kernelId)
    : new PageAddress(browser);
}

class PageAddress implements Address {
  readonly known = true;
  readonly isClosed = false;
  readonly canLoad = true;

  constructor(private readonly browser: Browser) {}

  get href(): string {
    return this.browser.location.href;
  }

  get location(): PageLocation {
    return pageLocation(this.browser.location);
  }

  write(target: string, history: Navigate['history']): void {
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

  watch(changed: () => void): () => void {
    return watchLocation(this.browser, changed);
  }
}

class NotebookAddress implements Address {
  constructor(
    private readonly browser: Browser,
    private readonly notebooks: Notebooks,
    private readonly kernelId: string,
  ) {}

  get href(): string {
    const { pathname, search, hash } = this.notebooks.url(this.kernelId);
    return this.browser.location.origin + pathname + search + hash;
  }

  get location(): PageLocation {
    return pageLocation(new URL(this.href));
  }

  get known(): boolean {
    return this.notebooks.url(this.kernelId).known;
  }

  get isClosed(): boolean {
    return this.notebooks.isClosed(this.kernelId);
  }

  get canLoad(): boolean {
    return this.notebooks.kernelInFront === this.kernelId;
  }

  /** Writes query and hash: the path is JupyterLab's, and so are the entries of the history. */
  write(target: string): void {
    const { search, hash } = new URL(stripUrlParameters(target, isSecret));
    this.notebooks.write(this.kernelId, { search, hash });
  }

  watch(changed: () => void): () => void {
    this.notebooks.addEventListener('change', changed);
    return () => this.notebooks.removeEventListener('change', changed);
  }
}
