import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError } from './apiError';
import { model, notebooks, pass, server, start } from './playedSidebar';
import { aCallback, aSession, aTask, changes } from './samples';

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
    model.sessions.onlyLinked = false;
    expect(model.sessions.visible.map((row) => row.key)).toEqual(['k2', 'k3']);
  });

  test('are called what Jupyter calls them', () => {
    expect(model.sessions.find('k1')).toMatchObject({ title: 'k1', path: null, busy: null });
    notebooks.known.set('k1', { name: 'tour.ipynb', path: 'nb/tour.ipynb', busy: true });
    notebooks.changed.emit();
    expect(model.sessions.find('k1')).toMatchObject({
      title: 'tour.ipynb',
      path: 'nb/tour.ipynb',
      busy: true,
    });
    server.emit(
      changes(1, {
        sessions: [
          aSession('v', { host_kind: 'voila', app_url: '/voila/render/my%20app.ipynb' }),
          aSession('k1', { busy: false }),
        ],
      }),
    );
    expect(model.sessions.find('v')?.title).toBe('my app.ipynb');
    expect(model.sessions.find('k1')?.busy).toBe(false);
  });

  test('are found by what they have', () => {
    const found = (text: string) => {
      model.sessions.text = text;
      return model.sessions.visible.length;
    };
    expect([found('save'), found('OWN'), found('ada'), found('nothing')]).toEqual([1, 1, 1, 0]);
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
