import type { Session, SessionCallback } from '../../shared/tasks';
import type { ApiError } from './apiError';
import type { Notebook } from './sources';
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
