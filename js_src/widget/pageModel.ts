/** Following the hidden page model from the widgets that are seen. */
import type { CallbackRow, TaskRow } from '../shared/panel';

/** What the page model mirrors of the kernel. */
export interface PageState {
  /** False once the kernel has gone, or the connection to it: what follows may be out of date. */
  readonly live: boolean;
  readonly busy: boolean;
  readonly location: Readonly<Record<string, unknown>>;
  readonly callbacks: readonly CallbackRow[];
  readonly tasks: readonly TaskRow[];
}

/** The part of ipywidgets' WidgetModel that we use. */
export interface WidgetModel {
  readonly comm?: { send(data: { method: 'request_state' }): unknown } | undefined;
  readonly comm_live: boolean;
  get(trait: string): unknown;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

interface Signal {
  connect(slot: () => void): unknown;
  disconnect(slot: () => void): unknown;
}

/** The part of JupyterLab's kernel connection that we use; Voilà's is the same. */
export interface Kernel {
  readonly status: string;
  readonly connectionStatus: string;
  readonly statusChanged: Signal;
  readonly connectionStatusChanged: Signal;
}

/** The part of anywidget's model that we use. */
export interface FollowingModel {
  readonly widget_manager: {
    readonly kernel?: Kernel | null;
    get_model(id: string): Promise<WidgetModel>;
  };
  get(trait: 'page'): string | null;
  on(event: 'change:page', callback: () => void): void;
  off(event: 'change:page', callback: () => void): void;
}

const GONE = ['dead', 'terminating', 'restarting', 'autorestarting'];
const NOTHING: PageState = { live: false, busy: false, location: {}, callbacks: [], tasks: [] };

/** Calls `show` now and at every change; returns what ends it. */
export function followPage(
  model: FollowingModel,
  show: (state: PageState) => void,
  later: (callback: () => void, ms: number) => unknown = setTimeout,
): () => void {
  let ended = false;
  let unwatch = () => {};

  const open = async (tries = 100) => {
    unwatch();
    const reference = model.get('page');
    show(NOTHING);
    if (!reference) {
      return;
    }
    try {
      const page = await model.widget_manager.get_model(reference.replace('IPY_MODEL_', ''));
      if (!ended && model.get('page') === reference) {
        unwatch();
        unwatch = watch(page, model.widget_manager.kernel, show);
      }
    } catch {
      // After a reload models come back in any order; a notebook saved without them has none.
      if (!ended && tries > 0) {
        later(() => void open(tries - 1), 100);
      }
    }
  };

  const reopen = () => void open();
  model.on('change:page', reopen);
  reopen();
  return () => {
    ended = true;
    model.off('change:page', reopen);
    unwatch();
  };
}

function watch(
  page: WidgetModel,
  kernel: Kernel | null | undefined,
  show: (state: PageState) => void,
): () => void {
  let destroyed = false;
  let connected = isConnected(kernel);

  const update = () => {
    const live = !destroyed && page.comm_live && connected && !GONE.includes(kernel?.status ?? '');
    show({
      live,
      busy: live && page.get('busy') === true,
      location: (page.get('location') as PageState['location'] | undefined) ?? {},
      callbacks: (page.get('callbacks') as CallbackRow[] | undefined) ?? [],
      tasks: (page.get('tasks') as TaskRow[] | undefined) ?? [],
    });
  };
  const destroy = () => {
    destroyed = true;
    update();
  };
  const connection = () => {
    const before = connected;
    connected = isConnected(kernel);
    if (connected && !before && page.comm_live) {
      page.comm?.send({ method: 'request_state' }); // Changes may have been missed meanwhile.
    }
    update();
  };

  page.on('change', update);
  page.on('comm_live_update', update);
  page.on('destroy', destroy);
  kernel?.statusChanged.connect(update);
  kernel?.connectionStatusChanged.connect(connection);
  update();
  return () => {
    page.off('change', update);
    page.off('comm_live_update', update);
    page.off('destroy', destroy);
    kernel?.statusChanged.disconnect(update);
    kernel?.connectionStatusChanged.disconnect(connection);
  };
}

function isConnected(kernel: Kernel | null | undefined): boolean {
  return (kernel?.connectionStatus ?? 'connected') === 'connected';
}
