/**
 * The notebooks of one page of JupyterLab, each with its own query and hash.
 *
 * The labextension publishes them on `window`, and the page model of each kernel reads and writes there.
 * They are missing where a page shows one notebook: in Notebook 7 and in Voilà.
 */

/** The key under which `window` has the `Notebooks`. */
export const NOTEBOOKS = Symbol.for('nbsession.notebooks');

/** The part of a URL that is one kernel's own. */
export interface NotebookUrl {
  /** JupyterLab's path for the notebook, also while it is not in front. */
  readonly pathname: string;
  /** With its `?`, or ''. */
  readonly search: string;
  /** With its `#`, or ''. */
  readonly hash: string;
  /** False while the page does not know query and hash, and those that the kernel has count. */
  readonly known: boolean;
}

/** Changes are announced by the event `change`. */
export interface Notebooks {
  /** Id of the kernel whose notebook, console or output is in front; null if none is. */
  readonly kernelInFront: string | null;
  url(kernelId: string): NotebookUrl;
  /** True once all that showed the kernel is closed, until something shows it again. */
  isClosed(kernelId: string): boolean;
  /** Changes the kernel's own URL, and the address bar if the kernel is in front. */
  write(kernelId: string, parts: { readonly search?: string; readonly hash?: string }): void;
  addEventListener(type: 'change', listener: () => void): void;
  removeEventListener(type: 'change', listener: () => void): void;
}
