import { beforeEach, describe, expect, test } from 'vitest';
import { type FollowingModel, followPage, type PageState, type WidgetModel } from './pageModel';

class Events {
  private readonly slots = new Map<string, Set<() => void>>();

  on = (event: string, slot: () => void): void => {
    this.slots.set(event, (this.slots.get(event) ?? new Set()).add(slot));
  };
  off = (event: string, slot: () => void): void => {
    this.slots.get(event)?.delete(slot);
  };
  fire(event: string): void {
    for (const slot of [...(this.slots.get(event) ?? [])]) {
      slot();
    }
  }
  get listeners(): number {
    return [...this.slots.values()].reduce((sum, slots) => sum + slots.size, 0);
  }
}

class FakePage extends Events implements WidgetModel {
  comm_live = true;
  asked = 0;
  comm = {
    send: () => {
      this.asked += 1;
    },
  };
  traits: Record<string, unknown> = { busy: false, location: {}, callbacks: [] };

  get(trait: string): unknown {
    return this.traits[trait];
  }
  set(trait: string, value: unknown): void {
    this.traits[trait] = value;
    this.fire('change');
  }
}

class FakeKernel extends Events {
  status = 'idle';
  connectionStatus = 'connected';
  statusChanged = this.signal('status');
  connectionStatusChanged = this.signal('connection');

  private signal(name: string) {
    return {
      connect: (slot: () => void) => this.on(name, slot),
      disconnect: (slot: () => void) => this.off(name, slot),
    };
  }
}

class FakeModel extends Events implements FollowingModel {
  page: string | null = 'IPY_MODEL_p1';
  pages = new Map<string, FakePage>();
  kernel = new FakeKernel();
  widget_manager = {
    kernel: this.kernel,
    get_model: async (id: string): Promise<WidgetModel> => {
      const page = this.pages.get(id);
      if (page === undefined) {
        throw new Error('widget model not found');
      }
      return page;
    },
  };

  get(): string | null {
    return this.page;
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

let model: FakeModel;
let page: FakePage;
let states: PageState[];
const show = (state: PageState) => states.push(state);
const last = () => states.at(-1);

beforeEach(() => {
  model = new FakeModel();
  page = new FakePage();
  model.pages.set('p1', page);
  states = [];
});

describe('followPage', () => {
  test('shows every change', async () => {
    followPage(model, show);
    await settled();
    page.set('busy', true);
    page.set('busy', false);
    expect(states.map(({ live, busy }) => [live, busy])).toEqual([
      [false, false],
      [true, false],
      [true, true],
      [true, false],
    ]);
  });

  test('is not busy without a page model', async () => {
    model.page = null;
    followPage(model, show);
    await settled();
    expect(last()).toMatchObject({ live: false, busy: false });
  });

  test('takes a page model that comes later', async () => {
    model.page = null;
    followPage(model, show);
    await settled();
    page.traits.busy = true;
    model.page = 'IPY_MODEL_p1';
    model.fire('change:page');
    await settled();
    expect(last()).toMatchObject({ live: true, busy: true });
  });

  test('tries again while models are restored', async () => {
    model.pages.clear();
    const waiting: (() => void)[] = [];
    followPage(model, show, (callback) => waiting.push(callback));
    await settled();
    expect(waiting).toHaveLength(1);
    model.pages.set('p1', page);
    waiting[0]?.();
    await settled();
    expect(last()).toMatchObject({ live: true });
  });

  test('gives up in the end', async () => {
    model.pages.clear();
    let tries = 0;
    followPage(model, show, (callback) => {
      tries += 1;
      queueMicrotask(callback);
    });
    await settled();
    expect(tries).toBe(100);
  });

  test.each(['dead', 'restarting', 'autorestarting', 'terminating'])(
    'a kernel that is %s is not busy',
    async (status) => {
      followPage(model, show);
      await settled();
      page.set('busy', true);
      model.kernel.status = status;
      model.kernel.fire('status');
      expect(last()).toMatchObject({ live: false, busy: false });
    },
  );

  test('a closed comm is not busy', async () => {
    followPage(model, show);
    await settled();
    page.set('busy', true);
    page.comm_live = false;
    page.fire('comm_live_update');
    expect(last()).toMatchObject({ live: false, busy: false });
  });

  test('a destroyed model is not busy', async () => {
    followPage(model, show);
    await settled();
    page.set('busy', true);
    page.fire('destroy');
    expect(last()).toMatchObject({ live: false, busy: false });
  });

  test('asks anew once the connection is back', async () => {
    followPage(model, show);
    await settled();
    page.set('busy', true);
    model.kernel.connectionStatus = 'connecting';
    model.kernel.fire('connection');
    expect(last()).toMatchObject({ live: false, busy: false });
    expect(page.asked).toBe(0);
    model.kernel.connectionStatus = 'connected';
    model.kernel.fire('connection');
    expect(page.asked).toBe(1);
    page.set('busy', false);
    expect(last()).toMatchObject({ live: true, busy: false });
  });

  test('leaves no listener behind', async () => {
    const end = followPage(model, show);
    await settled();
    expect(page.listeners + model.kernel.listeners + model.listeners).toBe(6);
    end();
    expect(page.listeners + model.kernel.listeners + model.listeners).toBe(0);
  });

  test('ended while it waits for the model, it never listens', async () => {
    followPage(model, show)();
    await settled();
    expect(page.listeners + model.kernel.listeners + model.listeners).toBe(0);
  });

  test('works in a manager without a kernel', async () => {
    const bare = {
      ...model.widget_manager,
      kernel: null,
    };
    followPage(Object.assign(model, { widget_manager: bare }), show);
    await settled();
    page.set('busy', true);
    expect(last()).toMatchObject({ live: true, busy: true });
  });
});
