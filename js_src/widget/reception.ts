/** Messages of the kernel to a model whose start anywidget has not waited for. */
import type { Manager } from './page';

type Handler = (message: object) => Promise<unknown>;

/** What anywidget gives its code in place of the model. */
interface Proxy {
  get?(trait: string): unknown;
}

/** The part of ipywidgets' model that we use. */
interface WholeModel {
  readonly comm?: {
    on_msg(handler: Handler): void;
    send(data: { method: 'request_state' }): unknown;
  };
  readonly _handle_comm_msg?: Handler;
  get(trait: string): unknown;
}

const NOTHING = { content: { data: { method: 'nothing' } } };

/**
 * Lets a model hear its kernel, however long its start has taken.
 *
 * anywidget holds back the messages to a model until its code has begun, and drops every one for good if
 * that takes more than 2 s, as on a busy machine. The code runs then all the same, so that the page would
 * talk to the kernel but never hear it.
 */
export function receiveAlways(manager: Manager | undefined, proxy: Proxy): void {
  const layout = proxy.get?.('layout'); // No two models have the same.
  for (const made of Object.values(manager?._models ?? {})) {
    const find = (model: unknown) => {
      if (layout && (model as WholeModel).get?.('layout') === layout) {
        void receive(model as WholeModel);
      }
    };
    made.then(find, () => {}); // One that could not be made is not this one.
  }
}

async function receive(model: WholeModel): Promise<void> {
  const { comm, _handle_comm_msg: held } = model;
  const handle = inherited(model, held);
  if (!comm?.on_msg || !held || !handle) {
    return; // Another version of anywidget.
  }
  comm.on_msg((message) => handle.call(model, message));
  try {
    await held.call(model, NOTHING);
  } catch {
    comm.send({ method: 'request_state' }); // What has come before was dropped.
  }
}

/** The handler of the class that anywidget's is derived from. */
function inherited(model: WholeModel, held: Handler | undefined): Handler | undefined {
  let handler = held;
  let type: WholeModel | null = model;
  while (type && handler === held) {
    type = Object.getPrototypeOf(type) as WholeModel | null;
    handler = type?._handle_comm_msg;
  }
  return handler;
}
