import { type ISignal, Signal } from '@lumino/signaling';
import type { Changes, KernelAnswer, Listing, Order, Task } from '../../shared/rest';
import { type Fed, Feed } from './feed';
import { countTasks, type StateFilter, type TaskCounts } from './filter';
import type { EventSource, Notebooks, OrderAnswer, Page, SidebarApi } from './interfaces';
import type { Outcome } from './pendingActions';
import { SessionModel } from './sessionModel';
import { type Refused, TaskModel } from './taskModel';
import { OverdueWatch, ServerClock, Ticker } from './time';

/** Of the server's tasks and those of all its kernels. */
export type Counts = TaskCounts & { readonly sessions: number };

/** What tells a task from all others. */
export type NamedTask = Pick<Task, 'name' | 'kernel_id'>;

export interface SidebarOptions {
  readonly api: SidebarApi;
  readonly events: EventSource;
  readonly notebooks: Notebooks;
  /** True if anybody can see the page; `document`. */
  readonly page?: Page;
}

/** All that one page of JupyterLab knows of tasks and sessions. */
export class SidebarModel implements Fed {
  readonly clock = new ServerClock();
  readonly ticker: Ticker;
  readonly tasks: TaskModel;
  readonly sessions: SessionModel;
  readonly feed: Feed;

  private readonly signal = new Signal<this, void>(this);
  private readonly api: SidebarApi;
  private readonly overdue: OverdueWatch;
  private tally: Counts | null = null;
  private disposed = false;

  constructor({ api, events, notebooks, page }: SidebarOptions) {
    this.api = api;
    this.ticker = new Ticker(() => this.clock.now(), page ?? null);
    this.tasks = new TaskModel(api);
    this.sessions = new SessionModel(api, notebooks);
    this.feed = new Feed(events, this);
    this.overdue = new OverdueWatch(
      () => this.clock.now(),
      () => this.tasks.all.map(({ task }) => task),
      () => void this.feed.refresh(),
    );
    for (const model of [this.tasks, this.sessions]) {
      model.changed.connect(this.touch, this);
      model.refused.connect(this.check, this);
    }
  }

  /** Emitted when `tasks` or `sessions` has changed. */
  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get counts(): Counts {
    this.tally ??= this.count();
    return this.tally;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  /** Shows only tasks and sessions with these words, and tasks of this state; all of them by default. */
  filter({ text = '', state = 'all' }: { text?: string; state?: StateFilter } = {}): void {
    this.tasks.text = text;
    this.tasks.state = state;
    this.sessions.filter = { ...this.sessions.filter, text, state };
  }

  /** Orders something of a task, whoever runs it. */
  perform(
    { name, kernel_id }: NamedTask,
    order: Order,
  ): Promise<Outcome<OrderAnswer | KernelAnswer>> {
    return kernel_id === null
      ? this.tasks.perform(name, order)
      : this.sessions.perform(kernel_id, name, order);
  }

  /** Begins, once. */
  start(): void {
    this.feed.start();
  }

  async read(): Promise<readonly Listing[]> {
    const [tasks, sessions] = await Promise.all([this.api.listTasks(), this.api.listSessions()]);
    if (!this.disposed) {
      this.clock.note(sessions.now);
      this.tasks.list(tasks);
      this.sessions.list(sessions);
      this.overdue.plan();
    }
    return [tasks, sessions];
  }

  apply(changes: Changes): void {
    this.clock.note(changes.now);
    this.tasks.apply(changes);
    this.sessions.apply(changes);
    this.overdue.heard();
  }

  dispose(): void {
    if (!this.disposed) {
      this.disposed = true;
      this.feed.dispose();
      this.ticker.dispose();
      this.overdue.dispose();
      this.tasks.dispose();
      this.sessions.dispose();
      Signal.clearData(this);
    }
  }

  private count(): Counts {
    const own = this.sessions.all.flatMap((session) => session.tasks);
    return {
      ...countTasks([...this.tasks.all, ...own]),
      sessions: this.sessions.all.filter(({ session }) => session.linked).length,
    };
  }

  private touch(): void {
    this.tally = null;
    this.signal.emit();
  }

  /** What is gone should not be shown, and what did not answer may have ended. */
  private check(_: unknown, { error }: Refused): void {
    if (error.status === 404 || error.status === 0) {
      void this.feed.refresh();
    }
  }
}
