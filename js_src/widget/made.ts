/** Waiting until the widgets of a page are made. */

/** After this long it begins all the same: a widget whose code cannot be loaded is never made. */
export const PATIENCE_MS = 2000;

/** The part of JupyterLab's kernel connection that we use; Voilà's is the same. */
interface Kernel {
  readonly id: string;
  readonly disposed?: { connect(slot: () => void): unknown };
}

/** The part of ipywidgets' manager that we use. */
export interface Manager {
  readonly kernel?: Kernel | null | undefined;
  /** All models, those that are being made too. Not public, but there is no other list. */
  readonly _models?: Readonly<Record<string, Promise<unknown>>>;
}

export interface Clock {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/**
 * Begins when the page has made its widgets; returns what ends it.
 *
 * A change from Python to a model that is being made is lost. So a page must not say that it is there
 * before: Python answers with changes.
 */
export function whenMade(
  manager: Manager | undefined,
  clock: Clock,
  begin: () => () => void,
): () => void {
  const models = Object.values(manager?._models ?? {});
  if (models.length === 0) {
    return begin();
  }
  let end: (() => void) | undefined;
  let waiting = true;
  const go = () => {
    if (waiting) {
      waiting = false;
      clock.clearTimeout(timer);
      end = begin();
    }
  };
  const timer = clock.setTimeout(go, PATIENCE_MS);
  void Promise.allSettled(models).then(go);
  return () => {
    waiting = false;
    clock.clearTimeout(timer);
    end?.();
  };
}
