import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Run } from '../../shared/rest';
import { aRun, aTask } from '../../testing/samples';
import { apply, list, model, names, shown } from '../../testing/taskHarness';
import type { TaskModel } from './taskModel';

describe('rows', () => {
  test('come from the list and are kept up to date by events', () => {
    expect(model.loaded).toBe(false);
    list(aTask('b'), aTask('a'));
    expect(model.loaded).toBe(true);
    expect(names()).toEqual(['a', 'b']);
    apply({ tasks: [aTask('c'), aTask('a', { run_count: 2 })], removed: ['b', 'unknown'] });
    expect(names()).toEqual(['a', 'c']);
    expect(shown('a')?.run_count).toBe(2);
    list(aTask('c'));
    expect(names()).toEqual(['c']);
  });

  test('are the same objects until something of them changes', () => {
    list(aTask('a'), aTask('b'));
    const [a, b] = model.visible;
    list(aTask('a'), aTask('b', { run_count: 2 }));
    expect(model.visible[0]).toBe(a);
    expect(model.visible[1]).not.toBe(b);
    expect(model.visible).toBe(model.visible);
  });

  test('a run that has ended is told once', () => {
    const ended: Run[] = [];
    model.runEnded.connect((_, run) => ended.push(run));
    list(aTask('a'));
    const failed = aRun(7, 'a', { state: 'failed', error: 'ValueError: no' });
    apply({ runs: [aRun(7, 'a', { state: 'running', ended_at: null })] });
    expect(ended).toEqual([]);
    apply({ runs: [failed] });
    apply({ runs: [failed, aRun(6, 'a')] });
    expect(ended.map((run) => run.id)).toEqual([7, 6]);
  });

  test('nothing new changes nothing', () => {
    const changed = vi.fn();
    model.changed.connect(changed);
    apply({});
    expect(changed).not.toHaveBeenCalled();
  });
});

describe('what is shown', () => {
  beforeEach(() => {
    const later = '2026-11-23T00:00:00Z';
    list(
      aTask('task 10', { next_run: null, state: 'paused' }),
      aTask('task 2', { next_run: later, last_state: 'failed' }),
      aTask('Report', { state: 'running', callback: 'mail.daily:send', last_error: 'OSError' }),
      aTask('a', { next_run: null, state: 'finished', ended_by: 'KeyError' }),
      aTask('b', { last_state: 'lost', last_run: later }),
    );
  });

  test('in the order of names, as people sort', () => {
    expect(names()).toEqual(['a', 'b', 'Report', 'task 2', 'task 10']);
  });

  test('in the order of the next run', () => {
    model.order = 'next';
    expect(names()).toEqual(['Report', 'b', 'task 2', 'a', 'task 10']);
  });

  test('errors first, the latest above', () => {
    model.order = 'errors';
    expect(names()).toEqual(['b', 'a', 'task 2', 'Report', 'task 10']);
  });

  test('of one state', () => {
    const shownIn = (state: TaskModel['state']) => {
      model.state = state;
      return names();
    };
    expect(shownIn('running')).toEqual(['Report']);
    expect(shownIn('paused')).toEqual(['task 10']);
    expect(shownIn('failed')).toEqual(['a', 'b', 'task 2']);
    expect(shownIn('finished')).toEqual(['a']);
    expect(shownIn('scheduled')).toEqual(['b', 'task 2']);
    expect(model.counts).toEqual({
      all: 5,
      running: 1,
      failed: 3,
      paused: 1,
      scheduled: 2,
      finished: 1,
    });
  });

  test('with some words, of the name or of what is called', () => {
    model.text = '  TASK 1 ';
    expect(names()).toEqual(['task 10']);
    model.text = 'daily mail';
    expect(names()).toEqual(['Report']);
    model.text = '';
    expect(names()).toHaveLength(5);
  });
});

test('1,000 tasks are quick', () => {
  const tasks = Array.from({ length: 1000 }, (_, index) =>
    aTask(`task ${index}`, index % 10 === 0 ? { last_state: 'failed' } : {}),
  );
  list(...tasks);
  const timed = (work: () => void) => {
    const before = performance.now();
    work();
    return performance.now() - before;
  };
  vi.useRealTimers();
  const again = timed(() => {
    list(...tasks.map((task) => ({ ...task })));
    expect(model.visible).toHaveLength(1000);
  });
  const event = timed(() => {
    apply({ tasks: tasks.slice(0, 500).map((task) => ({ ...task, run_count: 2 })) });
    model.order = 'errors';
    model.text = 'task 9';
    expect(model.visible).toHaveLength(271);
  });
  vi.useFakeTimers();
  expect(again).toBeLessThan(500); // 25 ms when nobody else uses the machine
  expect(event).toBeLessThan(500);
});
