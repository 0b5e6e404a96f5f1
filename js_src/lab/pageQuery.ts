import { queryOf, SECRET_PARAMETERS, stripParameters } from '../shared/query';
import type { PageQuery } from '../shared/wire';

/** Whatever has a kernel that may change: JupyterLab's session contexts fit. */
export interface KernelOwner {
  readonly session: { readonly kernel: Kernel | null } | null;
  readonly kernelChanged: {
    connect(slot: (sender: unknown, change: { newValue: Kernel | null }) => void): unknown;
  };
}

export interface Kernel {
  readonly id: string;
}

/** Sends the query of one kernel's page to the server. Rejects if there was no answer at all. */
export type PutPageQuery = (
  kernelId: string,
  body: PageQuery,
) => Promise<{ readonly ok: boolean; readonly status: number }>;

/**
 * Tells the server, once per kernel, the query that the page was opened with.
 *
 * JupyterLab drops the query before it starts a kernel, so the server cannot see it. An empty query is
 * sent too: a kernel may be waiting for it.
 */
export class PageQuerySender {
  private readonly query: string;
  private readonly followed = new WeakSet<KernelOwner>();
  private readonly sent = new Set<string>();
  private readonly said = new Set<'debug' | 'warn'>();

  constructor(
    pageUrl: string,
    private readonly put: PutPageQuery,
    private readonly log: Pick<Console, 'debug' | 'warn'> = console,
  ) {
    this.query = stripParameters(queryOf(pageUrl), SECRET_PARAMETERS);
  }

  /** Sends for the owner's kernel, if there is one, and for each that it gets later. */
  follow(owner: KernelOwner): void {
    if (this.followed.has(owner)) {
      return;
    }
    this.followed.add(owner);
    owner.kernelChanged.connect((_, { newValue }) => this.send(newValue));
    this.send(owner.session?.kernel ?? null);
  }

  private async send(kernel: Kernel | null): Promise<void> {
    if (!kernel || this.sent.has(kernel.id)) {
      return;
    }
    this.sent.add(kernel.id);
    const failure = await this.request(kernel.id);
    if (failure) {
      this.sent.delete(kernel.id); // The next kernelChanged tries again.
      this.sayOnce('warn', `nbsession: the page's query did not reach the server (${failure})`);
    }
  }

  /** What went wrong, or null. */
  private async request(kernelId: string): Promise<string | null> {
    try {
      const { ok, status } = await this.put(kernelId, { query: this.query });
      if (status === 404) {
        this.sayOnce('debug', 'nbsession: the server has no such session, or the extension is off');
        return null;
      }
      return ok ? null : `status ${status}`;
    } catch (error) {
      return String(error);
    }
  }

  private sayOnce(level: 'debug' | 'warn', message: string): void {
    if (!this.said.has(level)) {
      this.said.add(level);
      this.log[level](message);
    }
  }
}
