import { describe, expect, test, vi } from 'vitest';
import { type Kernel, type KernelOwner, PageQuerySender, type PutPageQuery } from './pageQuery';

const PAGE = 'http://h/lab/tree/tour.ipynb?token=secret&city=K%C3%B6ln&n=3#part';

class FakeOwner implements KernelOwner {
  session: { kernel: Kernel | null } | null;
  kernelChanged = {
    connect: (slot: (sender: unknown, change: { newValue: Kernel | null }) => void) =>
      this.slots.push(slot),
  };
  slots: ((sender: unknown, change: { newValue: Kernel | null }) => void)[] = [];

  constructor(kernelId?: string) {
    this.session = kernelId ? { kernel: { id: kernelId } } : null;
  }

  change(kernelId: string | null): void {
    for (const slot of this.slots) {
      slot(this, { newValue: kernelId ? { id: kernelId } : null });
    }
  }
}

function sender(pageUrl = PAGE, status = 200) {
  const put = vi.fn<PutPageQuery>(async () => ({ ok: status < 400, status }));
  const log = { debug: vi.fn(), warn: vi.fn() };
  return { put, log, sender: new PageQuerySender(pageUrl, put, log) };
}

/** Lets every request that is under way come to its end. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

describe('what is sent', () => {
  test('the query as it was written, without the token', () => {
    const { put, sender: s } = sender();
    s.follow(new FakeOwner('k1'));
    expect(put.mock.calls).toEqual([['k1', { query: 'city=K%C3%B6ln&n=3' }]]);
  });

  test.each(['http://h/lab', 'http://h/lab?token=secret'])(
    'an empty query for %s, as a kernel may wait',
    (url) => {
      const { put, sender: s } = sender(url);
      s.follow(new FakeOwner('k1'));
      expect(put.mock.calls).toEqual([['k1', { query: '' }]]);
    },
  );
});

describe('when it is sent', () => {
  test('as soon as a kernel is there', () => {
    const { put, sender: s } = sender();
    const owner = new FakeOwner();
    s.follow(owner);
    expect(put).not.toHaveBeenCalled();
    owner.change(null);
    expect(put).not.toHaveBeenCalled();
    owner.change('k1');
    expect(put).toHaveBeenCalledOnce();
  });

  test('to each new kernel of a notebook', () => {
    const { put, sender: s } = sender();
    const owner = new FakeOwner('k1');
    s.follow(owner);
    owner.change(null);
    owner.change('k2');
    expect(put.mock.calls.map(([id]) => id)).toEqual(['k1', 'k2']);
  });

  test('once per kernel, whoever shows it and however often', async () => {
    const { put, sender: s } = sender();
    const [notebook, console] = [new FakeOwner('k1'), new FakeOwner('k1')];
    s.follow(notebook);
    s.follow(notebook);
    s.follow(console);
    await settle();
    notebook.change('k1');
    expect(put).toHaveBeenCalledOnce();
    expect(notebook.slots).toHaveLength(1);
  });
});

describe('when it fails', () => {
  test.each([
    ['a status', async () => ({ ok: false, status: 500 }), /status 500/],
    ['no answer', () => Promise.reject(new TypeError('no network')), /no network/],
  ])('%s is warned of once and tried again at the next kernelChanged', async (_, failing, text) => {
    const { put, log, sender: s } = sender();
    put.mockImplementationOnce(failing).mockImplementationOnce(failing);
    const owner = new FakeOwner('k1');
    s.follow(owner);
    await settle();
    owner.change('k1');
    await settle();
    expect(log.warn).toHaveBeenCalledOnce();
    expect(log.warn).toHaveBeenCalledWith(expect.stringMatching(text));

    owner.change('k1');
    await settle();
    expect(put).toHaveBeenCalledTimes(3);
    owner.change('k1');
    expect(put).toHaveBeenCalledTimes(3);
  });

  test('404 is no fault: one debug line, no second try', async () => {
    const { put, log, sender: s } = sender(PAGE, 404);
    const owner = new FakeOwner('k1');
    s.follow(owner);
    await settle();
    owner.change('k1');
    owner.change('k2');
    await settle();
    expect(put.mock.calls.map(([id]) => id)).toEqual(['k1', 'k2']);
    expect(log.debug).toHaveBeenCalledOnce();
    expect(log.warn).not.toHaveBeenCalled();
  });

  test('the query is in no log line', async () => {
    const { log, sender: s } = sender(PAGE, 403);
    s.follow(new FakeOwner('k1'));
    await settle();
    expect(JSON.stringify(log.warn.mock.calls)).not.toMatch(/secret|ln/);
  });
});
