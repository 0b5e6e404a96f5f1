/** One query and hash for each kernel of a page of JupyterLab, and the address bar that shows one. */
import type { Notebooks, NotebookUrl } from '../shared/notebooks';
import { isSecret, pickParameters, queryOf, stripParameters } from '../shared/query';

/** What JupyterLab itself acts on when it reads the address; shown again, it would act again. */
const JUPYTERLAB_PARAMETERS: readonly string[] = ['reset', 'clone', 'file-browser-path'];

/** Kernels that earlier documents of this window have shown, as a JSON list. */
const STORAGE_KEY = 'nbsession.kernels';

/** The part of `window` that is used here. */
export interface LabWindow {
  readonly location: Pick<Location, 'href' | 'pathname' | 'search' | 'hash'>;
  readonly history: Pick<History, 'state' | 'replaceState'>;
  /** The Navigation API, where there is one. */
  readonly navigation?: Pick<EventTarget, 'addEventListener'> | undefined;
  readonly sessionStorage: Pick<Storage, 'getItem' | 'setItem'>;
  addEventListener(type: string, listener: () => void): void;
  setInterval(callback: () => void, ms: number): unknown;
}

/** How JupyterLab writes the path of a document into its URL. */
export interface DocumentUrls {
  /** The URL's path for a document, or for none. */
  pathnameOf(documentPath: string | null): string;
  isNotebook(documentPath: string): boolean;
}

interface UrlParts {
  readonly search: string;
  readonly hash: string;
}

const EMPTY: UrlParts = { search: '', hash: '' };
const DOCUMENT_PATH = /\/(?:lab|doc)(?:\/workspaces\/[^/]+)?\/tree\/(.+)$/;
/** How often the URL is looked at where the browser does not report every change. */
export const POLL_MS = 1000;

/** The path of the document that a URL's path names; null if it names none. */
export function documentPathOf(pathname: string): string | null {
  const path = DOCUMENT_PATH.exec(pathname)?.[1];
  try {
    return path === undefined ? null : decodeURIComponent(path).replace(/\/$/, '');
  } catch {
    return null; // A broken escape, which JupyterLab does not open either.
  }
}

/** The URL that the page was opened with. */
export class OpeningUrl {
  /** The raw query, without credentials. */
  readonly query: string;
  /** True if JupyterLab is to write it again, once it has done what the query says. */
  readonly resets: boolean;
  private readonly parts: UrlParts;
  private readonly notebookPath: string | null;

  constructor(
    url: string,
    /** True if the user asked for this URL, and did not reload it or go back to it. */
    readonly isNavigation: boolean,
    documents: DocumentUrls,
  ) {
    this.query = stripParameters(queryOf(url), isSecret);
    const shown = stripParameters(this.query, JUPYTERLAB_PARAMETERS);
    this.resets = pickParameters(this.query, ['reset']).length > 0;
    const { pathname, hash } = new URL(url);
    this.parts = { search: shown && `?${shown}`, hash };
    const path = documentPathOf(pathname);
    this.notebookPath = path !== null && documents.isNotebook(path) ? path : null;
  }

  get namesNotebook(): boolean {
    return this.notebookPath !== null;
  }

  /** True if it names a document that goes by these paths; a console has none. */
  names(documentPaths: readonly string[]): boolean {
    return this.notebookPath !== null && documentPaths.includes(this.notebookPath);
  }

  /** The query for a document or console, as `session_args` has it. */
  queryFor(documentPaths: readonly string[]): string {
    return this.belongsTo(documentPaths) ? this.query : '';
  }

  /** The same for its location, without what JupyterLab acts on. */
  partsFor(documentPaths: readonly string[]): UrlParts {
    return this.belongsTo(documentPaths) ? this.parts : EMPTY;
  }

  private belongsTo(documentPaths: readonly string[]): boolean {
    return !this.namesNotebook || this.names(documentPaths);
  }
}

interface Entry {
  parts: UrlParts;
  known: boolean;
  /** True if the parts are more than those that the kernel began with. */
  changed: boolean;
}

/** A notebook or console of the page, and the kernel that it has now. */
export class KernelOwner {
  kernelId: string | null = null;
  parts: UrlParts;
  /** The page's query if it belongs to this one, else ''. */
  readonly query: string;
  /** True if the page was opened for this one. */
  readonly isNamed: boolean;

  constructor(
    /** That of JupyterLab's URL first; a document has another without its drive, a console none. */
    readonly paths: () => readonly string[],
    opening: OpeningUrl,
  ) {
    this.parts = opening.partsFor(paths());
    this.query = opening.queryFor(paths());
    this.isNamed = opening.names(paths());
  }
}

/** Implements what `window` has, for the labextension to keep up to date. */
export class NotebookUrls extends EventTarget implements Notebooks {
  private readonly owners: KernelOwner[] = [];
  private readonly entries = new Map<string, Entry>();
  private readonly earlier: ReadonlySet<string>;
  private readonly closed = new Set<string>();
  private front: { readonly owner: KernelOwner; readonly hasPath: boolean } | null = null;
  private isStarted = false;
  private isWriting = false;
  private willShow = false;
  private willReset: boolean;
  private href: string;

  constructor(
    private readonly browser: LabWindow,
    private readonly opening: OpeningUrl,
    private readonly documents: DocumentUrls,
  ) {
    super();
    this.earlier = this.readKernels();
    this.willReset = opening.resets;
    this.href = browser.location.href;
  }

  get kernelInFront(): string | null {
    return this.front?.owner.kernelId ?? null;
  }

  url(kernelId: string): NotebookUrl {
    const { parts, known } = this.entryOf(kernelId);
    const [path = null] = this.ownersOf(kernelId).flatMap((owner) => owner.paths());
    return { pathname: this.documents.pathnameOf(path), ...parts, known };
  }

  isClosed(kernelId: string): boolean {
    return this.closed.has(kernelId) && this.ownersOf(kernelId).length === 0;
  }

  write(kernelId: string, { search, hash }: Partial<UrlParts>): void {
    if (this.isClosed(kernelId)) {
      return; // A late one; when it is opened again, what the kernel has then counts.
    }
    const { parts } = this.entryOf(kernelId);
    this.set(kernelId, { search: search ?? parts.search, hash: hash ?? parts.hash });
    if (kernelId === this.kernelInFront) {
      this.show();
    }
  }

  /** Adds a notebook or a console. */
  add(paths: () => readonly string[]): KernelOwner {
    const owner = new KernelOwner(paths, this.opening);
    this.owners.push(owner);
    return owner;
  }

  remove(owner: KernelOwner): void {
    this.setKernel(owner, null);
    this.owners.splice(this.owners.indexOf(owner), 1);
    if (this.front?.owner === owner) {
      this.front = null;
    }
    this.notify();
  }

  setKernel(owner: KernelOwner, kernelId: string | null): void {
    const before = owner.kernelId;
    if (before === kernelId) {
      return;
    }
    owner.kernelId = kernelId;
    if (before !== null && this.ownersOf(before).length === 0) {
      this.entries.delete(before);
      this.closed.add(before); // It may go on without a page, and write its URL.
    }
    if (kernelId !== null) {
      const entry = this.entryOf(kernelId);
      if (owner.isNamed && !entry.changed && !this.closed.has(kernelId)) {
        entry.parts = owner.parts; // Another notebook has the same kernel, and was there first.
        entry.known = true;
      }
      owner.parts = entry.parts;
      this.writeKernels();
    }
    this.refresh(owner);
  }

  /** Notes what has come to the front; `hasPath` if JupyterLab's URL has the path of it. */
  setFront(owner: KernelOwner | null, hasPath: boolean): void {
    this.front = owner && { owner, hasPath };
    if (owner && hasPath) {
      this.owners.splice(this.owners.indexOf(owner), 1);
      this.owners.unshift(owner); // The path of a shared kernel is that of the notebook last used.
    }
    this.showLater();
    this.notify();
  }

  /** Notes that a document has another path; JupyterLab writes it itself. */
  rename(owner: KernelOwner): void {
    this.refresh(owner);
  }

  /** Begins to write the address, and to read it: before, JupyterLab has yet to act on it. */
  start(): void {
    const { browser } = this;
    this.isStarted = true;
    this.href = browser.location.href;
    if (browser.navigation) {
      browser.navigation.addEventListener('currententrychange', (event) => {
        this.noteUrl((event as Event & { navigationType: string | null }).navigationType);
      });
    } else {
      browser.addEventListener('popstate', () => this.noteUrl('traverse'));
      browser.addEventListener('hashchange', () => this.noteUrl(null));
      browser.setInterval(() => this.noteUrl(null), POLL_MS);
    }
    this.showLater();
  }

  // -- entries ---------------------------------------------------------------------------------

  private ownersOf(kernelId: string): KernelOwner[] {
    return this.owners.filter((owner) => owner.kernelId === kernelId);
  }

  private entryOf(kernelId: string): Entry {
    let entry = this.entries.get(kernelId);
    if (!entry) {
      const owners = this.ownersOf(kernelId);
      const owner = owners.find(({ isNamed }) => isNamed) ?? owners[0];
      const parts = owner?.parts ?? this.opening.partsFor([]);
      entry = { parts, known: this.isKnown(kernelId, owner), changed: false };
      this.entries.set(kernelId, entry);
    }
    return entry;
  }

  /** True if the page's word counts for a kernel that comes; else what the kernel itself has. */
  private isKnown(kernelId: string, owner: KernelOwner | undefined): boolean {
    if (this.closed.has(kernelId)) {
      return false;
    }
    const { isNavigation, namesNotebook } = this.opening;
    const isMeant = namesNotebook ? owner?.isNamed === true : isNavigation;
    return isMeant || !this.earlier.has(kernelId);
  }

  private set(kernelId: string, parts: UrlParts): void {
    const entry = this.entryOf(kernelId);
    const before = entry.parts;
    const wasKnown = entry.known;
    Object.assign(entry, { parts, known: true, changed: true });
    for (const owner of this.ownersOf(kernelId)) {
      owner.parts = parts;
    }
    if (!wasKnown || before.search !== parts.search || before.hash !== parts.hash) {
      this.notify();
    }
  }

  private refresh(owner: KernelOwner): void {
    if (owner === this.front?.owner) {
      this.showLater();
    }
    this.notify();
  }

  private notify(): void {
    this.dispatchEvent(new Event('change'));
  }

  // -- the address bar -------------------------------------------------------------------------

  /** Writes once JupyterLab has written its own path, which it does in the same turn. */
  private showLater(): void {
    if (!this.willShow) {
      this.willShow = true;
      queueMicrotask(() => {
        this.willShow = false;
        this.show();
        this.href = this.browser.location.href; // Not every browser has reported JupyterLab's.
      });
    }
  }

  private show(): void {
    const { front } = this;
    const entry = this.kernelInFront === null ? undefined : this.entryOf(this.kernelInFront);
    if (!this.isStarted || !front || !entry?.known) {
      return;
    }
    const { history, location } = this.browser;
    const [path] = front.hasPath ? front.owner.paths() : [];
    const pathname = path === undefined ? location.pathname : this.documents.pathnameOf(path);
    const target = new URL(pathname + entry.parts.search + entry.parts.hash, location.href).href;
    if (target !== location.href) {
      this.isWriting = true;
      try {
        history.replaceState(history.state, '', target);
      } catch (error) {
        console.warn('nbsession: the browser refused to change the URL', error);
      } finally {
        this.isWriting = false;
        this.href = location.href;
      }
    }
  }

  private noteUrl(navigationType: string | null): void {
    const { href, pathname, search, hash } = this.browser.location;
    if (this.isWriting || href === this.href) {
      return;
    }
    this.href = href;
    const isTraversal = navigationType === 'traverse';
    if (!isTraversal && navigationType !== 'replace' && this.isByJupyterLab(href)) {
      this.showLater();
      return;
    }
    const owner = this.ownerNamedBy(pathname, isTraversal);
    if (owner?.kernelId) {
      this.set(owner.kernelId, { search, hash });
    } else if (owner) {
      owner.parts = { search, hash }; // For the kernel that it is going to have.
    }
  }

  /** True if a new entry of the history is JupyterLab's own, which has but a path. */
  private isByJupyterLab(href: string): boolean {
    const isReset = this.willReset && /[?#]/.test(href);
    this.willReset &&= !isReset;
    return isReset || !/[?#]/.test(href);
  }

  private ownerNamedBy(pathname: string, isTraversal: boolean): KernelOwner | undefined {
    const path = documentPathOf(pathname);
    const owner = this.owners.find((one) => path !== null && one.paths().includes(path));
    if (owner || isTraversal || (path !== null && this.documents.isNotebook(path))) {
      return owner;
    }
    // A console or an output: JupyterLab has no path for it.
    return this.front?.hasPath === false ? this.front.owner : undefined;
  }

  // -- what this window has shown --------------------------------------------------------------

  private readKernels(): ReadonlySet<string> {
    try {
      const kernels = JSON.parse(this.browser.sessionStorage.getItem(STORAGE_KEY) ?? '[]');
      return new Set(Array.isArray(kernels) ? kernels : []);
    } catch {
      return new Set(); // The browser allows no storage, or another page has written there.
    }
  }

  private writeKernels(): void {
    const kernels = new Set([...this.earlier, ...this.entries.keys(), ...this.closed]);
    try {
      const last = [...kernels].slice(-100);
      this.browser.sessionStorage.setItem(STORAGE_KEY, JSON.stringify(last));
    } catch {
      // Without storage a reload is as another window.
    }
  }
}
