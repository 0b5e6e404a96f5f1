/**
 * A sidebar's model on a played server, made anew for each test of the file that imports this, and
 * seen to leave nothing behind. The exports are live: each test sees its own.
 */
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { SidebarModel } from '../lab/model/sidebarModel';
import { aSession, aTask, FakeNotebooks, FakeServer, NOW, settled } from './samples';

export let server: FakeServer;
export let notebooks: FakeNotebooks;
export let model: SidebarModel;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse(NOW) });
  server = new FakeServer();
  server.tasks = [aTask('a', { next_run: null })];
  server.sessions = [aSession('k1')];
  notebooks = new FakeNotebooks();
  model = new SidebarModel({ api: server, events: server, notebooks });
});

afterEach(() => {
  model.dispose();
  expect(vi.getTimerCount()).toBe(0);
  expect(server.listeners).toBe(0);
  vi.useRealTimers();
});

/** What is asked at the start. */
export const LISTS = ['tasks', 'sessions'];

export async function start(): Promise<void> {
  model.start();
  await settled();
  server.asked.length = 0;
}

export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

export const count = (name: string) => model.tasks.findByName(name)?.task.run_count;
export const ran = (name: string, times: number) =>
  aTask(name, { next_run: null, run_count: times });
