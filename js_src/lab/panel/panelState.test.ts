import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  aSession,
  aTask,
  changes,
  FakeNotebooks,
  FakeServer,
  settled,
} from '../../testing/samples';
import { SidebarModel, taskKey } from '../model';
import { PanelState } from './panelState';

const server = () => {
  const fake = new FakeServer();
  fake.tasks = [aTask('report'), aTask('backup')];
  fake.sessions = [aSession('k1', { tasks: [aTask('own', { kernel_id: 'k1' })] })];
  return fake;
};

let fake: FakeServer;
let model: SidebarModel;
let state: PanelState;

beforeEach(async () => {
  fake = server();
  model = new SidebarModel({ api: fake, events: fake, notebooks: new FakeNotebooks() });
  state = new PanelState(model);
  model.start();
  await settled();
});

afterEach(() => {
  state.dispose();
  model.dispose();
  vi.useRealTimers();
});

const runsRead = () => fake.asked.filter((path) => path.startsWith('runs of')).length;

describe('the runs of a task', () => {
  test('are read once while it is open, however often it is drawn', async () => {
    state.toggleTask(taskKey('report'));
    expect(state.history('report')).toBe(state.history('report'));
    await settled();
    expect(runsRead()).toBe(1);
  });

  test('are let go when it is closed, and read anew when it is opened again', async () => {
    state.toggleTask(taskKey('report'));
    const before = state.history('report');
    state.toggleTask(taskKey('report'));
    state.toggleTask(taskKey('report'));
    expect(state.history('report')).not.toBe(before);
    await settled();
    expect(runsRead()).toBe(2);
  });

  test('are let go when the task goes', () => {
    state.toggleTask(taskKey('report'));
    const before = state.history('report');
    fake.emit(changes(1, { removed: ['report'] }));
    expect(state.history('report')).not.toBe(before);
  });
});

describe('to reveal', () => {
  test('opens the section, the task and the run, and takes filters away that hide it', () => {
    state.toggleSection('tasks');
    model.filter({ text: 'backup', state: 'failed' });
    state.reveal('report', { runId: 7 });
    expect(state.isSectionOpen('tasks')).toBe(true);
    expect(state.isTaskOpen(taskKey('report'))).toBe(true);
    expect(state.isRunOpen(taskKey('report'), 7)).toBe(true);
    expect(model.tasks.visible.map(({ task }) => task.name)).toContain('report');
    expect(state.target('tasks')).toBe(taskKey('report'));
    state.dropTarget('tasks');
    expect(state.target('tasks')).toBeNull();
    expect(state.takeRunTarget(taskKey('report'), 7)).toBe(true);
    expect(state.takeRunTarget(taskKey('report'), 7)).toBe(false);
  });

  test('leaves filters that do not hide it', () => {
    model.filter({ text: 'rep' });
    state.reveal('report');
    expect(model.tasks.text).toBe('rep');
  });

  test('a task of a kernel is in its session, and nothing hides it', () => {
    model.filter({ state: 'failed' });
    state.toggleSession('k1');
    state.reveal('own', { kernelId: 'k1' });
    expect(state.isSessionOpen('k1')).toBe(true);
    expect(state.isTaskOpen(taskKey('own', 'k1'))).toBe(true);
    expect(state.target('sessions')).toBe('k1');
    expect(model.sessions.visible[0]?.tasks[0]?.task.name).toBe('own');
    expect(state.target('tasks')).toBeNull();
  });
});

describe('what is told of an action', () => {
  test('a note goes by itself', () => {
    vi.useFakeTimers();
    state.setNote('/report', 'skipped');
    expect(state.note('/report')).toBe('skipped');
    vi.runAllTimers();
    expect(state.note('/report')).toBeNull();
  });

  test('the same text twice is announced twice', () => {
    state.announce('report is paused.');
    const first = state.announcement;
    state.announce('report is paused.');
    expect(state.announcement).not.toBe(first);
    expect(state.announcement.trim()).toBe(first);
  });
});
