/** What the model takes from its surroundings; `labSources.ts` makes them of what JupyterLab has. */
import type { ISignal } from '@lumino/signaling';
import type {
  CallbackChange,
  ErrorKind,
  KernelAnswer,
  Order,
  Run,
  RunListing,
  SessionListing,
  Task,
  TaskListing,
} from '../../shared/rest';

export interface OrderOptions {
  /** With `cancel`: the next occurrence still runs. */
  readonly wait?: boolean;
}

/** The task, for `run` the run, for `cancel` only the name. */
export type OrderAnswer = Task | Run | { readonly name: string };

/** Every method rejects with an `ApiError`. */
export interface TaskApi {
  listTasks(): Promise<TaskListing>;
  listRuns(name: string, limit: number): Promise<RunListing>;
  showRun(name: string, id: number): Promise<Run>;
  orderTask(name: string, order: Order, options?: OrderOptions): Promise<OrderAnswer>;
}

/** Every method rejects with an `ApiError`. */
export interface SessionApi {
  listSessions(): Promise<SessionListing>;
  setCallback(kernelId: string, id: string, change: CallbackChange): Promise<KernelAnswer>;
  orderSessionTask(kernelId: string, name: string, order: Order): Promise<KernelAnswer>;
}

export type SidebarApi = TaskApi & SessionApi;

/** The server's events, over a socket that somebody else keeps. */
export interface EventSource {
  /** Calls with every event of the server, ours or not; returns what ends it. */
  listen(slot: (event: unknown) => void): () => void;
  /** True if events come in: null where that cannot be known. */
  readonly isOpen: boolean | null;
  /** Calls when `isOpen` may have changed, or the server was gone; returns what ends it. */
  follow(slot: () => void): () => void;
}

/** The notebook, console or script that a kernel runs for. */
export interface Notebook {
  readonly name: string;
  readonly path: string;
}

/** What Jupyter itself knows of kernels. */
export interface Notebooks {
  readonly changed: ISignal<unknown, unknown>;
  find(kernelId: string): Notebook | null;
}

/** The part of `document` that tells whether anybody can see it. */
export type Page = Pick<Document, 'hidden' | 'addEventListener' | 'removeEventListener'>;

/** A request that was refused, or not answered at all. */
export class ApiError extends Error {
  /**
   * @param status - Of the answer; 0 if there was none.
   * @param kind - For programs; `network` without an answer.
   */
  constructor(
    readonly status: number,
    readonly kind: ErrorKind | 'network' | 'unknown',
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** The error of an answer that is not OK, from our server, jupyter_server or a proxy. */
  static from(status: number, body: unknown): ApiError {
    const { kind, message } = (body ?? {}) as { kind?: ErrorKind; message?: unknown };
    const text = typeof message === 'string' && message !== '' ? message : `HTTP ${status}`;
    return new ApiError(status, kind ?? 'unknown', text);
  }

  static withoutAnswer(error: unknown): ApiError {
    return new ApiError(0, 'network', error instanceof Error ? error.message : String(error));
  }

  /** Whatever was thrown, as one of these. */
  static of(error: unknown): ApiError {
    return error instanceof ApiError ? error : ApiError.withoutAnswer(error);
  }
}
