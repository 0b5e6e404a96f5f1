import { beforeEach, describe, expect, test, vi } from 'vitest';
import { aRun, aTask } from '../../testing/samples';
import { apply, list, model, names, server, shown } from '../../testing/taskHarness';
import { ApiError } from './interfaces';
import { taskKey } from './taskRow';

describe('orders', () => {
  beforeEach(() => list(aTask('a'), aTask('b')));

  test('are shown at once, and stay when the server has obeyed', async () => {
    const outcome = model.perform('a', 'pause');
    expect(shown('a')).toMatchObject({ state: 'paused', next_run: null });
    expect(model.findByName('a')?.pending).toBe('pause');
    await server.grant(aTask('a', { state: 'paused' }));
    expect(await outcome).toMatchObject({ ok: true });
    expect(model.findByName('a')?.pending).toBeNull();
    expect(shown('a')?.state).toBe('paused');
    // News from before the order, and then of it.
    apply({ tasks: [aTask('a', { run_count: 2 })] });
    expect(shown('a')?.state).toBe('paused');
    apply({ tasks: [aTask('a', { state: 'paused', run_count: 2 })] });
    apply({ tasks: [aTask('a')] }); // somebody else resumed it
    expect(shown('a')?.state).toBe('scheduled');
  });

  test('that are refused are taken back, with the reason', async () => {
    const refused = vi.fn();
    model.refused.connect((_, refusal) => refused(refusal));
    const outcome = model.perform('a', 'cancel');
    expect(names()).toEqual(['b']);
    const error = new ApiError(403, 'unknown', 'Forbidden');
    await server.refuse(error);
    expect(names()).toEqual(['a', 'b']);
    expect(await outcome).toEqual({ ok: false, error });
    expect(model.findByName('a')).toMatchObject({ pending: null, refusal: error });
    expect(refused).toHaveBeenCalledWith({ what: 'a', kernelId: null, error });
    model.dismiss(taskKey('a'));
    expect(model.findByName('a')?.refusal).toBeNull();
  });

  test('news while the server has not answered are kept for when it refuses', async () => {
    void model.perform('a', 'pause');
    apply({ tasks: [aTask('a', { run_count: 9 })] });
    expect(shown('a')).toMatchObject({ state: 'paused', run_count: 9 });
    await server.refuse(new ApiError(503, 'store', 'busy'));
    expect(shown('a')).toMatchObject({ state: 'scheduled', run_count: 9 });
  });

  test('are believed for a while only', async () => {
    void model.perform('a', 'pause');
    await server.grant(aTask('a', { state: 'paused' }));
    vi.advanceTimersByTime(10_000);
    expect(shown('a')?.state).toBe('scheduled'); // No news: what the server told last.
  });

  test('a cancelled task is gone, and another may have its name', async () => {
    void model.perform('a', 'cancel');
    await server.grant({ name: 'a' });
    apply({ tasks: [aTask('a', { run_count: 3 })] }); // from before
    expect(names()).toEqual(['b']);
    apply({ removed: ['a'] });
    apply({ tasks: [aTask('a', { run_count: 0 })] });
    expect(names()).toEqual(['a', 'b']);
  });

  test('run shows it running until it has run', async () => {
    void model.perform('a', 'run');
    expect(shown('a')?.state).toBe('running');
    await server.grant(aRun(5, 'a', { state: 'running', ended_at: null, due: null }));
    const run = aRun(5, 'a', { state: 'running', ended_at: null, progress: 0.5 });
    apply({ tasks: [aTask('a', { state: 'running', run })] });
    expect(shown('a')?.run?.progress).toBe(0.5);
    apply({ tasks: [aTask('a', { run_count: 2 })] });
    expect(shown('a')?.state).toBe('scheduled');
  });

  test('a run that was over before the order was answered', async () => {
    void model.perform('a', 'run');
    apply({ tasks: [aTask('a', { run_count: 2 })] });
    await server.grant(aRun(5, 'a'));
    expect(shown('a')?.state).toBe('scheduled');
  });

  test('a run that is skipped, as another one is going', async () => {
    void model.perform('a', 'run');
    await server.grant(aRun(5, 'a', { state: 'skipped', reason: 'another run was going' }));
    expect(shown('a')?.state).toBe('scheduled');
  });

  test('a second click does nothing', async () => {
    const outcomes = [model.perform('a', 'run'), model.perform('a', 'run')];
    expect(server.asked).toEqual(['run a']);
    await server.grant(aRun(5, 'a', { state: 'skipped' }));
    expect((await Promise.all(outcomes)).map(({ ok }) => ok)).toEqual([true, true]);
  });

  test('another order waits for the first', async () => {
    void model.perform('a', 'run');
    const paused = model.perform('a', 'pause');
    expect(server.asked).toEqual(['run a']);
    await server.grant(aRun(5, 'a', { state: 'running', ended_at: null }));
    expect(server.asked).toEqual(['run a', 'pause a']);
    expect(shown('a')?.state).toBe('paused');
    await server.grant(aTask('a', { state: 'paused' }));
    expect(await paused).toMatchObject({ ok: true, answer: { state: 'paused' } });
  });

  test('a task that goes while its order is under way', async () => {
    void model.perform('a', 'pause');
    apply({ removed: ['a'] });
    expect(names()).toEqual(['b']);
    await server.refuse(new ApiError(404, 'no_such_task', 'gone'));
    expect(names()).toEqual(['b']);
    apply({ tasks: [aTask('a')] });
    expect(model.findByName('a')?.refusal).toBeNull();
  });
});
