/** Rows as the server makes them, and a server that does as it is told. For tests. */
import { Signal } from '@lumino/signaling';
import type {
  ApiError,
  EventSource,
  Notebook,
  Notebooks,
  OrderAnswer,
  SidebarApi,
} from '../lab/model/interfaces';
import {
  CHANGES_SCHEMA,
  type Changes,
  type KernelAnswer,
  type Run,
  type Session,
  type SessionListing,
  type Task,
  type TaskListing,
} from '../shared/rest';

export const NOW = '2026-11-22T20:00:00.000000Z';

export function aTask(name: string, more: Partial<Task> = {}): Task {
  return {
    id: 1,
    name,
    kernel_id: null,
    state: 'scheduled',
    schedule: { period: '10m' },
    callback: `jobs:${name}`,
    home: {
      python: '/usr/bin/python',
      folder: '/work',
      setup: null,
      directory: '/work',
      first_paths: [],
      last_paths: [],
    },
    owner: null,
    policies: {
      overlap: 'skip',
      misfire: 'run',
      misfire_grace_us: 1_000_000,
      timeout_us: null,
      retries: 0,
      threaded: false,
      process: false,
    },
    next_run: '2026-11-22T20:10:00Z',
    last_run: '2026-11-22T20:00:00Z',
    last_state: 'succeeded',
    last_error: null,
    ended_by: null,
    run_count: 1,
    error_count: 0,
    editable: true,
    run: null,
    ...more,
  };
}

export function aRun(id: number, task: string, more: Partial<Run> = {}): Run {
  return {
    id,
    task,
    state: 'succeeded',
    reason: null,
    due: NOW,
    until: NOW,
    count: 1,
    started_at: NOW,
    ended_at: NOW,
    tries: 1,
    error: null,
    progress: null,
    progress_text: '',
    ...more,
  };
}

export function aSession(kernelId: string, more: Partial<Session> = {}): Session {
  return {
    kernel_id: kernelId,
    host_kind: 'lab',
    app_url: '/lab',
    user: { username: 'ada', display_name: 'Ada' },
    started_at: NOW,
    linked: true,
    busy: null,
    callbacks: [],
    tasks: [],
    ...more,
  };
}

export function aCallback(id: string, more: Partial<Session['callbacks'][0]> = {}) {
  return {
    id,
    name: 'update',
    period: 500,
    running: true,
    counter: 0,
    count: null,
    timeout: null,
    skipped: 0,
    last_error: null,
    ...more,
  };
}

export function changes(serial: number, more: Partial<Changes> = {}): Changes {
  const now = new Date(Date.parse(NOW) + serial * 250).toISOString();
  return {
    serial,
    now,
    tasks: [],
    removed: [],
    runs: [],
    sessions: [],
    ended: [],
    incomplete: false,
    ...more,
  };
}

type Answer<Value> = { resolve(value: Value): void; reject(error: ApiError): void };

/** A server whose orders are answered when the test says so. */
export class FakeServer implements SidebarApi, EventSource {
  tasks: readonly Task[] = [];
  sessions: readonly Session[] = [];
  runs: readonly Run[] = [];
  serial: number | undefined;
  writable = true;
  /** Thrown by whatever is asked. */
  failure: ApiError | null = null;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly orders: Answer<never>[] = [];
  /** Set: lists wait for it. */
  gate: Promise<void> | null = null;
  open: boolean | null = true;
  private readonly slots = new Set<(event: unknown) => void>();
  private readonly followers = new Set<() => void>();

  async listTasks(): Promise<TaskListing> {
    const { tasks, writable } = this;
    return this.answer('tasks', { ...this.stamp, writable, problem: null, tasks });
  }

  async listSessions(): Promise<SessionListing> {
    const { sessions, writable } = this;
    return this.answer('sessions', { ...this.stamp, writable, sessions });
  }

  listRuns(name: string, limit: number) {
    const { runs, writable } = this;
    return this.answer(`runs of ${name}, ${limit}`, { ...this.stamp, writable, runs });
  }

  showRun(name: string, id: number): Promise<Run> {
    const run = this.runs.find((each) => each.id === id) ?? aRun(id, name);
    return this.answer(`run ${id} of ${name}`, { ...run, output: 'out', traceback: null });
  }

  orderTask(name: string, order: string): Promise<OrderAnswer> {
    return this.wait(`${order} ${name}`);
  }

  orderSessionTask(kernelId: string, name: string, order: string): Promise<KernelAnswer> {
    return this.wait(`${order} ${name} of ${kernelId}`);
  }

  setCallback(kernelId: string, id: string, change: object): Promise<KernelAnswer> {
    return this.wait(`set ${id} of ${kernelId} ${JSON.stringify(change)}`);
  }

  /** Answers the oldest order. */
  grant(answer: unknown): Promise<void> {
    this.orders.shift()?.resolve(answer as never);
    return settled();
  }

  refuse(error: ApiError): Promise<void> {
    this.orders.shift()?.reject(error);
    return settled();
  }

  listen(slot: (event: unknown) => void): () => void {
    this.slots.add(slot);
    return () => this.slots.delete(slot);
  }

  get isOpen(): boolean | null {
    return this.open;
  }

  follow(slot: () => void): () => void {
    this.followers.add(slot);
    return () => this.followers.delete(slot);
  }

  emit(event: Changes): void {
    this.emitAny({ schema_id: CHANGES_SCHEMA, ...event });
  }

  emitAny(event: unknown): void {
    for (const slot of this.slots) {
      slot(JSON.parse(JSON.stringify(event)));
    }
  }

  connect(open: boolean | null): void {
    this.open = open;
    for (const follower of this.followers) {
      follower();
    }
  }

  get listeners(): number {
    return this.slots.size + this.followers.size;
  }

  private get stamp() {
    return { now: NOW, ...(this.serial === undefined ? {} : { serial: this.serial }) };
  }

  private async answer<Value>(path: string, value: Value): Promise<Value> {
    this.asked.push(path);
    await this.gate;
    if (this.failure) {
      throw this.failure;
    }
    return value;
  }

  private wait<Value>(path: string): Promise<Value> {
    this.asked.push(path);
    return new Promise<Value>((resolve, reject) => {
      this.orders.push({ resolve, reject } as Answer<never>);
    });
  }
}

export class FakeNotebooks implements Notebooks {
  readonly changed = new Signal<this, void>(this);
  readonly known = new Map<string, Notebook>();

  find(kernelId: string): Notebook | null {
    return this.known.get(kernelId) ?? null;
  }
}

/** Lets everything happen that waits for nothing, timers aside. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await Promise.resolve();
  }
}
