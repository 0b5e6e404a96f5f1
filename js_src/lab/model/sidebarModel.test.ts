import { expect, test, vi } from 'vitest';
import { aRun, aSession, aTask, changes, NOW, settled } from '../../testing/samples';
import { model, server, start } from '../../testing/sidebarHarness';

test('counts are of all tasks', async () => {
  server.tasks = [aTask('a', { state: 'running' }), aTask('b', { last_state: 'failed' })];
  server.sessions = [
    aSession('k1', { tasks: [aTask('c', { ended_by: 'KeyError' })] }),
    aSession('k2', { linked: false }),
  ];
  await start();
  expect(model.counts).toMatchObject({ all: 3, running: 1, scheduled: 2, failed: 2, sessions: 1 });
  const changed = vi.fn();
  model.changed.connect(changed);
  server.emit(changes(1, { ended: ['k1'] }));
  expect(changed).toHaveBeenCalled();
  expect(model.counts).toMatchObject({ all: 2, running: 1, failed: 1, sessions: 0 });
});

test('an order goes to whom the task runs for', () => {
  void model.perform(aTask('a'), 'pause');
  void model.perform(aTask('c', { kernel_id: 'k1' }), 'pause');
  expect(server.asked).toEqual(['pause a', 'pause c of k1']);
});

test('the server’s clock counts', async () => {
  vi.setSystemTime(Date.parse(NOW) - 90_000);
  await start();
  expect(model.clock.offset).toBe(90_000);
  server.emit(changes(1, { runs: [aRun(1, 'a')] }));
  expect(model.clock.now()).toBe(Date.parse(NOW) + 250);
});

test('disposed while the lists are read', async () => {
  model.start();
  model.dispose();
  await settled();
  expect(model.tasks.loaded).toBe(false);
  expect(model.isDisposed).toBe(true);
});
