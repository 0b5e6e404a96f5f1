import { describe, expect, test, vi } from 'vitest';
import { changes, settled } from '../../testing/samples';
import { count, LISTS, model, pass, ran, server, start } from '../../testing/sidebarHarness';

describe('events', () => {
  test('follow one list of each, and nothing else is asked for', async () => {
    model.start();
    model.start();
    expect(model.feed.status).toBe('starting');
    await settled();
    expect(server.asked).toEqual(LISTS);
    expect(model.feed.status).toBe('live');
    for (let serial = 1; serial <= 5; serial += 1) {
      server.emit(changes(serial, { tasks: [ran('a', serial)] }));
    }
    expect(count('a')).toBe(5);
    await pass(3_600_000);
    expect(server.asked).toEqual(LISTS);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('of others are left alone', async () => {
    await start();
    for (const event of [null, 7, {}, { schema_id: 'https://events.jupyter.org/kernel_actions' }]) {
      server.emitAny(event);
    }
    expect(count('a')).toBe(1);
  });

  test('told twice count once', async () => {
    await start();
    server.emit(changes(1, { tasks: [ran('a', 5)] }));
    server.emit(changes(2, { tasks: [ran('a', 6)] }));
    server.emit(changes(1, { tasks: [ran('a', 5)] }));
    server.emit(changes(2, { tasks: [ran('a', 6)] }));
    expect(count('a')).toBe(6);
    await pass(60_000);
    expect(server.asked).toEqual([]);
  });

  test('out of order: the lists are read, and the late one is left alone', async () => {
    await start();
    server.emit(changes(1, { tasks: [ran('a', 5)] }));
    server.emit(changes(3, { tasks: [ran('a', 7)] }));
    server.emit(changes(2, { tasks: [ran('a', 6)] }));
    expect(count('a')).toBe(7);
    server.tasks = [ran('a', 7)];
    await pass(2000);
    expect(server.asked).toEqual(LISTS);
    expect(count('a')).toBe(7);
  });

  test('a lost one: the lists are read, once for many gaps', async () => {
    await start();
    server.emit(changes(1));
    for (const serial of [3, 5, 7, 9]) {
      server.emit(changes(serial));
    }
    server.tasks = [ran('b', 3)];
    await pass(10_000);
    expect(server.asked).toEqual(LISTS);
    expect(count('b')).toBe(3);
    expect(count('a')).toBeUndefined();
  });

  test('a lost one after the list, which says up to where it goes', async () => {
    server.serial = 4;
    await start();
    server.emit(changes(4, { now: '2026-11-22T19:59:59Z' })); // was under way
    server.emit(changes(5));
    await pass(10_000);
    expect(server.asked).toEqual([]);
    server.emit(changes(7));
    await pass(10_000);
    expect(server.asked).toEqual(LISTS);
  });

  test('that tell not all', async () => {
    await start();
    server.emit(changes(1, { incomplete: true }));
    await pass(10_000);
    expect(server.asked).toEqual(LISTS);
  });

  test('that never end to be too many: no more than a reading in two seconds', async () => {
    await start();
    for (let serial = 1; serial <= 80; serial += 1) {
      server.emit(changes(serial, { incomplete: true }));
      await pass(250);
    }
    expect(server.asked.length / 2).toBeLessThanOrEqual(11);
    expect(server.asked.length / 2).toBeGreaterThan(5);
    await pass(2000);
  });

  test('that come while the lists are read are newer than these', async () => {
    let open = () => {};
    server.gate = new Promise((resolve) => {
      open = resolve;
    });
    model.start();
    await settled();
    server.emit(changes(1, { tasks: [ran('a', 8), ran('new', 1)] }));
    open();
    await settled();
    expect(count('a')).toBe(8);
    expect(count('new')).toBe(1);
  });

  test('of a server that was started again, which counts anew', async () => {
    await start();
    server.emit(changes(57, { tasks: [ran('a', 5)] }));
    server.tasks = [ran('a', 6)];
    server.emit(changes(1, { now: '2026-11-22T21:00:00Z', tasks: [ran('a', 6)] }));
    await pass(2000);
    expect(server.asked).toEqual(LISTS);
    server.emit(changes(2, { now: '2026-11-22T21:00:00.250000Z', tasks: [ran('a', 7)] }));
    await pass(10_000);
    expect(server.asked).toEqual(LISTS);
    expect(count('a')).toBe(7);
  });
});
