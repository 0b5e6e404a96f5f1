import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Task } from '../../shared/rest';
import { aCallback, aSession, aTask, changes, settled } from '../../testing/samples';
import { model, notebooks, pass, server, start } from '../../testing/sidebarHarness';
import { ApiError } from './interfaces';

describe('sessions', () => {
  const session = aSession('k1', {
    callbacks: [aCallback('1'), aCallback('2', { name: 'save', running: false })],
    tasks: [aTask('own', { kernel_id: 'k1', home: null, next_run: null })],
  });
  const callback = (index: number) => model.sessions.find('k1')?.callbacks[index];

  beforeEach(async () => {
    server.sessions = [session, aSession('k2', { linked: false })];
    await start();
  });

  test('come and go', () => {
    expect(model.sessions.all.map((row) => row.key)).toEqual(['k1', 'k2']);
    expect(model.sessions.visible.map((row) => row.key)).toEqual(['k1']);
    server.emit(changes(1, { sessions: [aSession('k3')], ended: ['k1', 'unknown'] }));
    expect(model.sessions.visible.map((row) => row.key)).toEqual(['k3']);
    model.sessions.filter = { text: '', state: 'all', onlyLinked: false };
    expect(model.sessions.visible.map((row) => row.key)).toEqual(['k2', 'k3']);
  });

  test('are called what Jupyter calls them', () => {
    expect(model.sessions.find('k1')).toMatchObject({ title: 'k1', path: null });
    notebooks.known.set('k1', { name: 'tour.ipynb', path: 'nb/tour.ipynb' });
    notebooks.changed.emit();
    expect(model.sessions.find('k1')).toMatchObject({
      title: 'tour.ipynb',
      path: 'nb/tour.ipynb',
    });
    server.emit(
      changes(1, {
        sessions: [aSession('v', { host_kind: 'voila', app_url: '/voila/render/my%20app.ipynb' })],
      }),
    );
    expect(model.sessions.find('v')?.title).toBe('my app.ipynb');
  });

  test('are found by what they have, and show no more than that', () => {
    const found = (text: string) => {
      model.filter({ text });
      return model.sessions.visible.map(({ callbacks, tasks }) => [callbacks.length, tasks.length]);
    };
    expect(found('save')).toEqual([[1, 0]]);
    expect(found('OWN')).toEqual([[0, 1]]);
    expect(found('ada')).toEqual([[2, 1]]);
    expect(found('ada save')).toEqual([[1, 0]]);
    expect(found('nothing')).toEqual([]);
    expect(found('')).toEqual([[2, 1]]);
    expect(model.sessions.visible[0]).toBe(model.sessions.find('k1'));
  });

  test('of one state show their tasks of that state', () => {
    model.filter({ state: 'scheduled' });
    expect(model.sessions.visible[0]?.tasks.map(({ task }) => task.name)).toEqual(['own']);
    expect(model.sessions.visible[0]?.callbacks).toEqual([]);
    model.filter({ state: 'failed' });
    expect(model.sessions.visible).toEqual([]);
  });

  test('tell what has failed in them while we listen', async () => {
    const failed: [string, number][] = [];
    model.sessions.taskFailed.connect((_, { task, count }) => failed.push([task.name, count]));
    const own = (error_count: number, more = {}) =>
      aTask('own', { kernel_id: 'k1', home: null, next_run: null, error_count, ...more });
    const told = (...tasks: Task[]) => ({ ...session, tasks });
    server.emit(changes(1, { sessions: [told(own(1))] }));
    server.emit(changes(2, { sessions: [told(own(1, { run_count: 9 }))] }));
    expect(failed).toEqual([['own', 1]]);
    server.emit(changes(3, { sessions: [told(own(3), aTask('new', { error_count: 1 }))] }));
    expect(failed.slice(1)).toEqual([
      ['own', 2],
      ['new', 1],
    ]);
    server.emit(changes(4, { sessions: [told(own(1, { id: 2 }))] })); // Another one.
    expect(failed.slice(3)).toEqual([['own', 1]]);
    server.sessions = [told(own(2, { id: 2 })), aSession('old', { tasks: [own(5)] })];
    void model.feed.refresh();
    await settled();
    expect(failed.slice(4)).toEqual([['own', 1]]);
  });

  test('a callback is stopped at once, and its counter goes on to be told', async () => {
    const outcome = model.sessions.setCallback('k1', '1', { running: false });
    expect(callback(0)).toMatchObject({ pending: true, callback: { running: false } });
    expect(server.asked).toEqual(['set 1 of k1 {"running":false}']);
    await server.grant({ done: true });
    expect(await outcome).toEqual({ ok: true, answer: { done: true } });
    const told = (running: boolean, counter: number) => ({
      ...session,
      callbacks: [aCallback('1', { running, counter })],
    });
    server.emit(changes(1, { sessions: [told(true, 7)] }));
    expect(callback(0)).toMatchObject({ pending: false, callback: { running: false, counter: 7 } });
    server.emit(changes(2, { sessions: [told(false, 8)] }));
    server.emit(changes(3, { sessions: [told(true, 9)] })); // in the notebook
    expect(callback(0)?.callback.running).toBe(true);
    expect(callback(1)).toBeUndefined();
  });

  test('another order for a callback waits for the first, and is sent', async () => {
    const outcomes = [
      model.sessions.setCallback('k1', '1', { period: 2000 }),
      model.sessions.setCallback('k1', '1', { running: false }),
      model.sessions.setCallback('k1', '1', { running: false }), // A second click.
    ];
    expect(server.asked).toEqual(['set 1 of k1 {"period":2000}']);
    await server.grant({ done: true });
    expect(server.asked.slice(1)).toEqual(['set 1 of k1 {"running":false}']);
    expect(callback(0)).toMatchObject({ pending: true, callback: { running: false } });
    await server.refuse(new ApiError(504, 'silent_kernel', 'silent'));
    expect((await Promise.all(outcomes)).map(({ ok }) => ok)).toEqual([true, false, false]);
    expect(server.orders).toEqual([]);
    void model.sessions.setCallback('k1', '1', { running: false }); // Once more, after the refusal.
    expect(server.orders).toHaveLength(1);
  });

  test('an order that waits when the model goes leaves nothing', async () => {
    const stopped = model.sessions.setCallback('k1', '1', { period: 2000 });
    const started = model.sessions.setCallback('k1', '1', { running: false });
    model.dispose();
    await server.grant({ done: true });
    await server.grant({ done: true });
    expect(await Promise.all([stopped, started])).toMatchObject([{ ok: true }, { ok: true }]);
  });

  test('a kernel that is kept by a cell obeys later', async () => {
    void model.sessions.setCallback('k1', '1', { period: 2000 });
    await server.grant({ done: false });
    await pass(30_000);
    expect(callback(0)?.callback.period).toBe(2000);
    await pass(40_000);
    expect(callback(0)?.callback.period).toBe(500);
  });

  test('a kernel that is silent: taken back, with the reason', async () => {
    const refused = vi.fn();
    model.sessions.refused.connect((_, refusal) => refused(refusal));
    void model.sessions.setCallback('k1', '2', { running: true });
    const error = new ApiError(504, 'silent_kernel', 'silent');
    await server.refuse(error);
    expect(callback(1)).toMatchObject({ refusal: error, callback: { running: false } });
    expect(refused).toHaveBeenCalledWith({ what: 'save', kernelId: 'k1', error });
    model.sessions.dismiss('k1/2');
    expect(callback(1)?.refusal).toBeNull();
  });

  test('their tasks obey as the others do', async () => {
    void model.sessions.perform('k1', 'own', 'cancel');
    expect(model.sessions.find('k1')?.tasks).toEqual([]);
    await server.refuse(new ApiError(504, 'silent_kernel', 'silent'));
    expect(model.sessions.find('k1')?.tasks[0]?.refusal?.kind).toBe('silent_kernel');
    void model.sessions.perform('k1', 'own', 'run');
    expect(model.sessions.find('k1')?.tasks[0]?.task.state).toBe('running');
    await server.grant({ done: true });
    await pass(2000);
    expect(model.sessions.find('k1')?.tasks[0]?.task.state).toBe('scheduled');
  });

  test('what is gone is not shown for long', async () => {
    void model.sessions.perform('k1', 'own', 'pause');
    server.sessions = [];
    await server.refuse(new ApiError(404, 'no_such_session', 'ended'));
    expect(model.sessions.all).toEqual([]);
  });
});
