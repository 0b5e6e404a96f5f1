/** What JupyterLab's main area shows: its notebooks and consoles, their kernels, and what is in front. */
import type { KernelOwner, NotebookUrls } from './notebooks';

interface Signal<Args> {
  connect(slot: (sender: unknown, args: Args) => void): unknown;
}

interface Kernel {
  readonly id: string;
}

/** JupyterLab's session contexts fit. */
export interface SessionContext {
  readonly session: { readonly kernel: Kernel | null } | null;
  readonly kernelChanged: Signal<{ newValue: Kernel | null }>;
  readonly disposed: Signal<unknown>;
}

/** JupyterLab's document contexts fit. */
export interface DocumentContext {
  readonly path: string;
  readonly localPath: string;
  readonly sessionContext: SessionContext;
  readonly pathChanged: Signal<unknown>;
  readonly disposed: Signal<unknown>;
}

/** JupyterLab's widgets fit. */
export interface MainWidget {
  readonly context?: DocumentContext;
  readonly sessionContext?: SessionContext;
  readonly content?: { readonly path?: unknown; hasClass?(name: string): boolean };
}

/** Keeps the notebooks' URLs up to date with the main area. */
export class MainArea {
  private readonly owners = new Map<SessionContext, KernelOwner>();
  private readonly documents = new Set<SessionContext>();

  constructor(
    private readonly urls: NotebookUrls,
    /** Called with each kernel that a notebook or console gets, and its part of the page's query. */
    private readonly kernelAdded: (kernelId: string, query: string) => void,
  ) {}

  /** Follows a notebook; it may have several views. */
  addNotebook(context: DocumentContext): void {
    const { sessionContext } = context;
    if (this.owners.has(sessionContext)) {
      return;
    }
    this.documents.add(sessionContext);
    const owner = this.follow(sessionContext, () => [context.path, context.localPath]);
    context.pathChanged.connect(() => this.urls.rename(owner));
  }

  /** Notes what has come to the front. */
  setFront(widget: MainWidget | null): void {
    const { urls } = this;
    const { content, context, sessionContext } = widget ?? {};
    if (context && context.sessionContext === sessionContext) {
      this.addNotebook(context); // Of another factory than JupyterLab's own.
    }
    if (sessionContext) {
      const owner = this.owners.get(sessionContext) ?? this.follow(sessionContext, () => []);
      urls.setFront(owner, this.documents.has(sessionContext));
    } else if (content?.hasClass?.('jp-LinkedOutputView')) {
      urls.setFront(this.notebookAt(String(content.path)), false);
    } else {
      urls.setFront(null, false);
    }
  }

  private follow(context: SessionContext, paths: () => readonly string[]): KernelOwner {
    const owner = this.urls.add(paths);
    const setKernel = (kernel: Kernel | null) => {
      this.urls.setKernel(owner, kernel?.id ?? null);
      if (kernel) {
        this.kernelAdded(kernel.id, owner.query);
      }
    };
    this.owners.set(context, owner);
    context.kernelChanged.connect((_, { newValue }) => setKernel(newValue));
    context.disposed.connect(() => {
      this.owners.delete(context);
      this.urls.remove(owner);
    });
    setKernel(context.session?.kernel ?? null);
    return owner;
  }

  private notebookAt(path: string): KernelOwner | null {
    return [...this.owners.values()].find((owner) => owner.paths()[0] === path) ?? null;
  }
}
