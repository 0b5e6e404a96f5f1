/**
 * A model of tasks on a played server, made anew for each test of the file that imports this, and
 * seen to leave no timer. The exports are live: each test sees its own.
 */
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { TaskModel } from '../lab/model/taskModel';
import type { Task } from '../shared/rest';
import { FakeServer, NOW } from './samples';

export let server: FakeServer;
export let model: TaskModel;

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

export function list(...tasks: Task[]): void {
  model.list({ now: NOW, writable: true, problem: null, tasks });
}

export function apply(more: Partial<Parameters<TaskModel['apply']>[0]>): void {
  model.apply({ tasks: [], removed: [], runs: [], ...more });
}

export const names = () => model.visible.map(({ task }) => task.name);
export const shown = (name: string) => model.findByName(name)?.task;
