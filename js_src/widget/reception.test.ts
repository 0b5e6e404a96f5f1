import { expect, test } from 'vitest';
import type { Manager } from './page';
import { receiveAlways } from './reception';

/** ipywidgets' model. */
class Model {
  heard: unknown[] = [];
  sent: unknown[] = [];
  handler: (message: object) => unknown = () => {};
  comm = {
    on_msg: (handler: (message: object) => unknown) => {
      this.handler = handler;
    },
    send: (data: object) => this.sent.push(data),
  };
  constructor(private readonly layout: object) {
    this.comm.on_msg((message) => this._handle_comm_msg(message));
  }
  get(trait: string): unknown {
    return trait === 'layout' ? this.layout : undefined;
  }
  async _handle_comm_msg(message: object): Promise<void> {
    this.heard.push(message);
  }
}

/** anywidget's, which holds messages back until its code has begun. */
class HeldModel extends Model {
  constructor(
    layout: object,
    private readonly ready: Promise<void>,
  ) {
    super(layout);
  }
  override async _handle_comm_msg(message: object): Promise<void> {
    await this.ready;
    await super._handle_comm_msg(message);
  }
}

const layout = {};
const managerOf = (...models: unknown[]): Manager => ({
  _models: {
    ...Object.fromEntries(models.map((model, n) => [`m${n}`, Promise.resolve(model)])),
    broken: Promise.reject(new Error('not made')),
  },
});
const proxyOf = (model: Model) => ({ get: (trait: string) => model.get(trait) });
const turns = () => new Promise((resolve) => setTimeout(resolve));

test('a model that anywidget has given up hears the kernel, and asks for what it has missed', async () => {
  const late = Promise.reject(new Error('Failed to initialize model.'));
  const [model, other] = [new HeldModel(layout, late), new HeldModel({}, late)];
  const message = { content: { data: { method: 'custom', content: { kind: 'ping' } } } };
  await expect(model.handler(message)).rejects.toThrow('Failed');
  receiveAlways(managerOf(other, model, new Model({})), proxyOf(model));
  await turns();
  model.handler(message);
  expect(model.heard).toEqual([message]);
  expect(model.sent).toEqual([{ method: 'request_state' }]);
  await expect(other.handler(message)).rejects.toThrow('Failed');
});

test('a model that has begun in time asks for nothing', async () => {
  const model = new HeldModel(layout, Promise.resolve());
  receiveAlways(managerOf(model), proxyOf(model));
  await turns();
  model.heard = [];
  model.handler({ n: 1 });
  expect([model.heard, model.sent]).toEqual([[{ n: 1 }], []]);
});

test('other versions of ipywidgets and anywidget are left alone', async () => {
  const model = new Model(layout);
  const { handler } = model;
  receiveAlways(managerOf(model), proxyOf(model));
  receiveAlways(undefined, proxyOf(model));
  receiveAlways(managerOf({}, null), {});
  await turns();
  expect(model.handler).not.toBe(undefined);
  handler({ n: 1 });
  expect(model.heard).toContainEqual({ n: 1 });
});
