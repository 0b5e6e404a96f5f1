import type { CallbackChange, KernelAnswer, Session, SessionCallback } from '../../shared/rest';
import type { ApiError, Notebook } from './interfaces';
import { Ledger, type Outcome } from './pendingActions';
import type { TaskRow } from './taskRow';

/** A periodic callback as it is shown. */
export interface CallbackState {
  readonly key: string;
  readonly callback: SessionCallback;
  /** True if an order has not been answered yet. */
  readonly pending: boolean;
  /** Why the last order was refused. */
  readonly refusal: ApiError | null;
}

/** A session as it is shown. */
export interface SessionRow {
  /** The kernel's id. */
  readonly key: string;
  readonly session: Session;
  /** What people call it: the notebook's name, if anybody knows it. */
  readonly title: string;
  /** The file that can be opened for it; null for none. */
  readonly path: string | null;
  readonly callbacks: readonly CallbackState[];
  readonly tasks: readonly TaskRow[];
}

export function callbackKey(kernelId: string, id: string): string {
  return `${kernelId}/${id}`;
}

/** The notebook's name; for a page of Voilà its last part; else the beginning of the kernel's id. */
export function titleOf(session: Session, notebook: Notebook | null): string {
  if (notebook) {
    return notebook.name || notebook.path;
  }
  const last = session.host_kind === 'voila' ? session.app_url?.split('/').pop() : undefined;
  return last ? decoded(last) : session.kernel_id.slice(0, 8);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // Not UTF-8.
  }
}

const PATIENCE_MS = 2000;

/** A kernel whose loop is kept by a cell obeys when the cell has ended. */
const PATIENCE_WHILE_BLOCKED_MS = 60_000;

/** Periodic callbacks as their kernels told them, with what is under way, by key. */
export class CallbackStates {
  private readonly callbacks = new Map<string, SessionCallback>();
  private readonly states = new Map<string, CallbackState>();
  private readonly ledger: Ledger<CallbackChange>;

  /** @param onChange - Called when a callback has changed that its kernel has not told of. */
  constructor(onChange: () => void) {
    this.ledger = new Ledger<CallbackChange>({
      isSame: (one, other) => JSON.stringify(one) === JSON.stringify(other),
      isTold: (key, change) => {
        const callback = this.callbacks.get(key);
        return callback === undefined || isSet(callback, change);
      },
      patienceMs: (answer) =>
        (answer as KernelAnswer | null)?.done === false ? PATIENCE_WHILE_BLOCKED_MS : PATIENCE_MS,
      onChange: (key) => {
        this.states.delete(key);
        onChange();
      },
    });
  }

  /** As its kernel told it. */
  told(key: string): SessionCallback | undefined {
    return this.callbacks.get(key);
  }

  /** As it is shown. */
  state(key: string): CallbackState | null {
    const callback = this.callbacks.get(key);
    if (!callback) {
      return null;
    }
    let state = this.states.get(key);
    if (!state) {
      state = {
        key,
        callback: { ...callback, ...this.ledger.action(key) },
        pending: this.ledger.isPending(key),
        refusal: this.ledger.refusal(key),
      };
      this.states.set(key, state);
    }
    return state;
  }

  set(key: string, callback: SessionCallback): void {
    const known = this.callbacks.get(key);
    if (known && JSON.stringify(known) === JSON.stringify(callback)) {
      return;
    }
    this.callbacks.set(key, callback);
    this.ledger.told(key);
    this.states.delete(key);
  }

  delete(key: string): void {
    this.callbacks.delete(key);
    this.ledger.gone(key);
    this.states.delete(key);
  }

  perform(
    key: string,
    change: CallbackChange,
    send: () => Promise<KernelAnswer>,
  ): Promise<Outcome<KernelAnswer>> {
    return this.ledger.perform(key, change, send);
  }

  dismiss(key: string): void {
    this.ledger.dismiss(key);
  }

  dispose(): void {
    this.ledger.dispose();
  }
}

function isSet(callback: SessionCallback, change: CallbackChange): boolean {
  return 'running' in change
    ? callback.running === change.running
    : callback.period === change.period;
}
