import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LabEvents, LabNotebooks } from './events';

class FakeSocket extends EventTarget {
  readyState = 0;

  become(state: 1 | 3): void {
    this.readyState = state;
    this.dispatchEvent(new Event(state === 1 ? 'open' : 'close'));
  }
}

class FakeServices {
  readonly stream = new Signal<this, unknown>(this);
  readonly connectionFailure = new Signal<this, Error>(this);
  readonly events: { stream: unknown; _socket?: FakeSocket | null } = { stream: this.stream };
}

type Services = ConstructorParameters<typeof LabEvents>[0];

let services: FakeServices;
let events: LabEvents;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', { OPEN: 1 });
  services = new FakeServices();
  events = new LabEvents(services as unknown as Services);
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('events come until nobody listens', () => {
  const slot = vi.fn();
  const end = events.listen(slot);
  services.stream.emit({ schema_id: 'x' });
  end();
  services.stream.emit({ schema_id: 'y' });
  expect(slot.mock.calls).toEqual([[{ schema_id: 'x' }]]);
});

describe('the socket', () => {
  let socket: FakeSocket;

  beforeEach(() => {
    socket = new FakeSocket();
    services.events._socket = socket;
  });

  test('is followed, and the one after it', () => {
    const seen: (boolean | null)[] = [];
    const end = events.follow(() => seen.push(events.isOpen));
    socket.become(1);
    expect(seen.at(-1)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    socket.become(3);
    expect(seen.at(-1)).toBe(false);
    const next = new FakeSocket();
    services.events._socket = next;
    vi.advanceTimersByTime(1000);
    expect(seen.at(-1)).toBe(false);
    next.become(1);
    expect(seen.at(-1)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    end();
    const count = seen.length;
    next.become(3);
    expect(seen).toHaveLength(count);
  });

  test('that is not there yet', () => {
    services.events._socket = null;
    const slot = vi.fn();
    const end = events.follow(slot);
    expect(events.isOpen).toBe(false);
    services.events._socket = socket;
    socket.readyState = 1;
    vi.advanceTimersByTime(500);
    expect(events.isOpen).toBe(true);
    expect(slot).toHaveBeenCalled();
    end();
  });
});

test('a version that keeps its socket elsewhere: failing requests tell', () => {
  const slot = vi.fn();
  const end = events.follow(slot);
  expect(events.isOpen).toBeNull();
  expect(slot).not.toHaveBeenCalled();
  services.connectionFailure.emit(new Error('no'));
  expect(slot).toHaveBeenCalledOnce();
  end();
  services.connectionFailure.emit(new Error('no'));
  expect(slot).toHaveBeenCalledOnce();
});

test('notebooks are found by their kernels', () => {
  const runningChanged = new Signal<object, unknown>({});
  const models = [{ name: 'tour.ipynb', path: 'nb/tour.ipynb', kernel: { id: 'k1' } }];
  const manager = { runningChanged, running: () => models.values() };
  const notebooks = new LabNotebooks(
    manager as unknown as ConstructorParameters<typeof LabNotebooks>[0],
  );
  const changed = vi.fn();
  notebooks.changed.connect(changed);
  expect(notebooks.find('k1')).toEqual({ name: 'tour.ipynb', path: 'nb/tour.ipynb' });
  expect(notebooks.find('k2')).toBeNull();
  models.push({ name: '', path: 'console-1', kernel: { id: 'k2' } });
  runningChanged.emit(models);
  expect(changed).toHaveBeenCalledOnce();
  expect(notebooks.find('k2')?.path).toBe('console-1');
});
