import type { PageQuery } from '../shared/pageMessages';

/** Sends the query of one kernel's page to the server. Rejects if there was no answer at all. */
export type PutPageQuery = (
  kernelId: string,
  body: PageQuery,
) => Promise<{ readonly ok: boolean; readonly status: number }>;

/**
 * Tells the server, once per kernel, its part of the query that the page was opened with.
 *
 * JupyterLab drops the query before it starts a kernel, so the server cannot see it. An empty query is
 * sent too: a kernel may be waiting for it.
 */
export class PageQuerySender {
  private readonly sent = new Set<string>();
  private readonly said = new Set<'debug' | 'warn'>();

  constructor(
    private readonly put: PutPageQuery,
    private readonly log: Pick<Console, 'debug' | 'warn'> = console,
  ) {}

  /** Sends the query unless this kernel's was sent already. */
  async send(kernelId: string, query: string): Promise<void> {
    if (this.sent.has(kernelId)) {
      return;
    }
    this.sent.add(kernelId);
    const failure = await this.request(kernelId, query);
    if (failure) {
      this.sent.delete(kernelId); // The next kernelChanged tries again.
      this.sayOnce('warn', `nbsession: the page's query did not reach the server (${failure})`);
    }
  }

  /** What went wrong, or null. */
  private async request(kernelId: string, query: string): Promise<string | null> {
    try {
      const { ok, status } = await this.put(kernelId, { query });
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
