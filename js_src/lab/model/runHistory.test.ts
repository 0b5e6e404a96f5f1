import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Run, Task } from '../../shared/rest';
import { aRun, aTask, FakeServer, NOW, settled } from '../../testing/samples';
import { ApiError } from './interfaces';
import { TaskModel } from './taskModel';

let server: FakeServer;
let model: TaskModel;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  model = new TaskModel(server);
});

afterEach(() => {
  model.dispose();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function list(...tasks: Task[]): void {
  model.list({ now: NOW, writable: true, problem: null, tasks });
}

function apply(more: Partial<Parameters<TaskModel['apply']>[0]>): void {
  model.apply({ tasks: [], removed: [], runs: [], ...more });
}

describe('history', () => {
  test('is read once, then kept up to date', async () => {
    server.runs = [aRun(2, 'a', { output: 'two' }), aRun(1, 'a', { output: 'one' })];
    const history = model.history('a');
    const loaded = history.load();
    expect(history.loading).toBe(true);
    apply({ runs: [aRun(3, 'a', { state: 'running', ended_at: null }), aRun(9, 'b')] });
    await loaded;
    expect(history.runs.map((run) => run.id)).toEqual([3, 2, 1]);
    apply({ runs: [aRun(3, 'a', { state: 'failed' }), aRun(2, 'a')] });
    expect(history.runs.map((run) => [run.id, run.state, run.output])).toEqual([
      [3, 'failed', undefined],
      [2, 'succeeded', 'two'],
      [1, 'succeeded', 'one'],
    ]);
    history.dispose();
    apply({ runs: [aRun(4, 'a')] });
    expect(history.runs).toHaveLength(3);
  });

  test('old news do not open a run again that has ended', async () => {
    server.runs = [aRun(3, 'a')];
    const history = model.history('a');
    await history.load();
    apply({ runs: [aRun(3, 'a', { state: 'running', ended_at: null })] });
    expect(history.runs[0]?.state).toBe('succeeded');
  });

  test('a row of what was missed grows, whether its texts were read or not', async () => {
    const missed = (second: number, more: Partial<Run> = {}) =>
      aRun(3, 'a', {
        state: 'missed',
        until: `2026-11-22T20:00:0${second}Z`,
        count: second + 1,
        ...more,
      });
    server.runs = [missed(2, { output: '', traceback: null })];
    const history = model.history('a');
    await history.load();
    apply({ runs: [missed(5)] });
    expect(history.runs).toMatchObject([{ count: 6, output: '' }]);
    apply({ runs: [missed(4)] }); // Old news.
    expect(history.runs).toMatchObject([{ count: 6, output: '' }]);
    server.runs = [missed(7)];
    await history.load();
    expect(history.runs).toMatchObject([{ count: 8 }]);
    apply({ runs: [missed(9)] });
    expect(history.runs).toMatchObject([{ count: 10, until: '2026-11-22T20:00:09Z' }]);
  });

  test('holds 50 runs', async () => {
    server.runs = Array.from({ length: 50 }, (_, index) => aRun(100 - index, 'a'));
    const history = model.history('a');
    await history.load();
    apply({ runs: [aRun(101, 'a')] });
    expect(history.runs).toHaveLength(50);
    expect(history.runs[0]?.id).toBe(101);
  });

  test('asks for the texts of a run that has none, and again while it goes on', async () => {
    server.runs = [aRun(1, 'a', { output: 'one', traceback: null })];
    const history = model.history('a');
    await history.load();
    expect((await history.text(1)).output).toBe('one');
    apply({ runs: [aRun(2, 'a', { state: 'failed' })] });
    expect((await history.text(2)).output).toBe('out');
    expect((await history.text(2)).output).toBe('out');
    expect(server.asked).toEqual(['runs of a, 50', 'run 2 of a']);
  });

  test('says what went wrong, and is read anew with the list', async () => {
    const history = model.history('a');
    server.failure = new ApiError(503, 'store', 'busy');
    await history.load();
    expect(history).toMatchObject({ loading: false, error: server.failure });
    server.failure = null;
    server.runs = [aRun(1, 'a')];
    list(aTask('a'));
    await settled();
    expect(history).toMatchObject({ loading: false, error: null });
    expect(history.runs).toHaveLength(1);
  });
});
