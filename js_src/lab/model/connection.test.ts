import { describe, expect, test, vi } from 'vitest';
import { aTask, NOW } from '../../testing/samples';
import { count, LISTS, model, pass, ran, server, start } from '../../testing/sidebarHarness';
import { ApiError } from './interfaces';

describe('the connection', () => {
  test('when it is back, the lists are read', async () => {
    await start();
    server.connect(false);
    expect(model.feed.status).toBe('polling');
    server.connect(false);
    await pass(500);
    expect(server.asked).toEqual([]);
    server.tasks = [ran('a', 9)];
    server.connect(true);
    await pass(2000);
    expect(server.asked).toEqual(LISTS);
    expect(model.feed.status).toBe('live');
    expect(count('a')).toBe(9);
    await pass(60_000);
    expect(server.asked).toEqual(LISTS);
  });

  test('while the server is down, it is tried less and less often', async () => {
    await start();
    server.failure = new ApiError(0, 'network', 'no');
    server.connect(false);
    await pass(2000);
    expect(model.feed).toMatchObject({ status: 'interrupted', error: server.failure });
    await pass(120_000);
    expect(server.asked.length / 2).toBeLessThan(12);
    expect(count('a')).toBe(1); // What was known is still shown.
    server.failure = null;
    server.connect(true);
    await pass(0);
    await pass(2000);
    expect(model.feed).toMatchObject({ status: 'live', error: null });
    await pass(120_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a server that never had one is asked again', async () => {
    server.failure = new ApiError(500, 'unknown', 'HTTP 500');
    await start();
    expect(model.feed.status).toBe('interrupted');
    expect(model.tasks.loaded).toBe(false);
    server.failure = null;
    await pass(1000);
    expect(model.feed.status).toBe('live');
    expect(model.tasks.loaded).toBe(true);
  });

  test.each([
    [404, 'absent'],
    [403, 'forbidden'],
  ])('after %s nothing is asked any more', async (code, status) => {
    server.failure = new ApiError(code, 'unknown', 'no');
    await start();
    expect(model.feed.status).toBe(status);
    await pass(600_000);
    expect(server.asked).toEqual([]);
  });

  test('without events the lists are read while somebody looks', async () => {
    server.open = false;
    await start();
    expect(model.feed.status).toBe('polling');
    await pass(60_000);
    expect(server.asked).toEqual([]);
    const end = model.feed.watch();
    await pass(2000);
    expect(server.asked).toEqual(LISTS);
    await pass(20_000);
    expect(server.asked.length / 2).toBe(3);
    end();
    end();
    await pass(60_000);
    expect(server.asked.length / 2).toBeLessThanOrEqual(4);
  });

  test('where nobody knows of it, failing requests of others tell', async () => {
    server.open = null;
    await start();
    expect(model.feed.status).toBe('live');
    server.failure = new ApiError(0, 'network', 'no');
    server.connect(null);
    await pass(2000);
    expect(model.feed.status).toBe('interrupted');
    server.failure = null;
    await pass(2000);
    expect(model.feed.status).toBe('live');
  });

  test('when no news come of a run that is due, the lists are read, ever less often', async () => {
    server.tasks = [aTask('a', { next_run: '2026-11-22T20:00:30Z' })];
    await start();
    await pass(39_000);
    expect(server.asked).toEqual([]);
    await pass(2000);
    expect(server.asked).toEqual(LISTS);
    await pass(3_600_000);
    expect(server.asked.length / 2).toBeLessThan(14);
  });

  test('a task that another server has to run may be late', async () => {
    server.tasks = [aTask('a', { next_run: NOW, editable: false })];
    await start();
    await pass(3_600_000);
    expect(server.asked).toEqual([]);
  });
});
