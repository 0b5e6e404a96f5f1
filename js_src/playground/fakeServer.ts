import { ApiError, type EventSource, type SidebarApi } from '../lab/model';
import {
  type CallbackChange,
  CHANGES_SCHEMA,
  type Changes,
  type Order,
  type Run,
  type Session,
  type Task,
} from '../shared/rest';
import type { Fixtures } from '../testing/fixtures';
import { changes } from '../testing/samples';

/** Obeys at once, and tells what has changed, like the real one. */
export class FakeServer implements SidebarApi, EventSource {
  tasks: Task[] = [];
  sessions: Session[] = [];
  writable = true;
  problem: string | null = null;
  /** What every request ends with. */
  failure: ApiError | null = null;
  /** What every order ends with. */
  refusal: ApiError | null = null;
  isOpen: boolean | null = true;
  /** True if the kernels' loops are kept by a cell. */
  blocked = false;
  private serial = 0;
  private slot: (event: unknown) => void = () => undefined;
  private follower: () => void = () => undefined;

  constructor(private readonly fixtures: Fixtures) {}

  listen(slot: (event: unknown) => void): () => void {
    this.slot = slot;
    return () => undefined;
  }

  follow(slot: () => void): () => void {
    this.follower = slot;
    return () => undefined;
  }

  connect(isOpen: boolean): void {
    this.isOpen = isOpen;
    this.follower();
  }

  tell(news: Partial<Changes>): void {
    this.serial += 1;
    const now = new Date().toISOString();
    this.slot({ schema_id: CHANGES_SCHEMA, ...changes(this.serial, news), now });
  }

  async listTasks() {
    return this.answer({ ...this.stamp, problem: this.problem, tasks: this.tasks });
  }

  async listSessions() {
    return this.answer({ ...this.stamp, sessions: this.sessions });
  }

  async listRuns(name: string, limit: number) {
    return this.answer({ ...this.stamp, runs: this.fixtures.runs(this.task(name), limit) });
  }

  async showRun(name: string, id: number): Promise<Run> {
    const run = this.fixtures.runs(this.task(name)).find((each) => each.id === id) as Run;
    return this.answer(this.fixtures.text(run));
  }

  async orderTask(name: string, order: Order) {
    const task = this.obeyed(this.task(name), order);
    this.tasks = this.tasks.flatMap((each) => (each.name === name ? (task ?? []) : each));
    this.tell(task ? { tasks: [task] } : { removed: [name] });
    return task ?? { name };
  }

  async orderSessionTask(kernelId: string, name: string, order: Order) {
    const session = this.session(kernelId);
    const tasks = session.tasks.flatMap((task) =>
      task.name === name ? (this.obeyed(task, order) ?? []) : task,
    );
    return this.change({ ...session, tasks });
  }

  async setCallback(kernelId: string, id: string, wanted: CallbackChange) {
    this.refuse();
    const session = this.session(kernelId);
    const callbacks = session.callbacks.map((each) =>
      each.id === id ? { ...each, ...wanted } : each,
    );
    return this.change({ ...session, callbacks });
  }

  private change(session: Session) {
    if (this.blocked) {
      return { done: false };
    }
    this.sessions = this.sessions.map((each) =>
      each.kernel_id === session.kernel_id ? session : each,
    );
    this.tell({ sessions: [session] });
    return { done: true };
  }

  private obeyed(task: Task, order: Order): Task | null {
    this.refuse();
    switch (order) {
      case 'pause':
        return { ...task, state: 'paused', next_run: null };
      case 'resume':
        return {
          ...task,
          state: 'scheduled',
          next_run: new Date(Date.now() + 60_000).toISOString(),
        };
      case 'run':
        return {
          ...task,
          run_count: task.run_count + 1,
          last_state: 'succeeded',
          last_run: new Date().toISOString(),
        };
      case 'cancel':
        return null;
    }
  }

  private get stamp() {
    return { now: new Date().toISOString(), writable: this.writable, serial: this.serial };
  }

  private task(name: string): Task {
    return this.tasks.find((task) => task.name === name) as Task;
  }

  private session(kernelId: string): Session {
    return this.sessions.find((session) => session.kernel_id === kernelId) as Session;
  }

  private answer<Value>(value: Value): Value {
    if (this.failure) {
      throw this.failure;
    }
    return value;
  }

  private refuse(): void {
    this.answer(null);
    if (this.refusal) {
      throw this.refusal;
    }
  }
}

export function refusal(status: number, kind: ApiError['kind'], message: string): ApiError {
  return new ApiError(status, kind, message);
}
