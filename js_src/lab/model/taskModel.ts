import { type ISignal, Signal } from '@lumino/signaling';
import type { Changes, Order, Run, Task, TaskListing } from '../../shared/rest';
import {
  compareNames,
  countTasks,
  inOrder,
  isAbout,
  isInState,
  type StateFilter,
  type TaskCounts,
  type TaskOrder,
  wordsOf,
} from './filter';
import type { ApiError, OrderAnswer, OrderOptions, TaskApi } from './interfaces';
import type { Outcome } from './pendingActions';
import { RunHistory } from './runHistory';
import { isOpen, type TaskRow, TaskRows, taskKey } from './taskRow';

const KEPT = 1000;

/** Tells each run that has ended once, however often the server does. */
export class EndedRuns {
  private readonly known = new Set<number>();

  /** Those that have ended and were not told before. */
  news(runs: readonly Run[]): readonly Run[] {
    return runs.filter((run) => !isOpen(run) && this.isNews(run.id));
  }

  private isNews(id: number): boolean {
    if (this.known.has(id)) {
      return false;
    }
    this.known.add(id);
    if (this.known.size > KEPT) {
      const [oldest] = this.known;
      this.known.delete(oldest as number);
    }
    return true;
  }
}

/** An order that was not carried out. */
export interface Refused {
  /** The name of the task or of the callback. */
  readonly what: string;
  readonly kernelId: string | null;
  readonly error: ApiError;
}

/** The global tasks, which of them are shown, and what is ordered of them. */
export class TaskModel {
  /** True if the list has been read. */
  loaded = false;
  /** True if this user may change things. */
  writable = false;
  /** Why tasks are not kept when the server ends. */
  problem: string | null = null;

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly runEndedSignal = new Signal<this, Run>(this);
  private readonly refusedSignal = new Signal<this, Refused>(this);
  private readonly rows = new TaskRows(() => this.touch());
  private readonly histories = new Set<RunHistory>();
  private readonly endedRuns = new EndedRuns();
  /** In the order of names; null when a name has come or gone. */
  private keys: readonly string[] | null = [];
  private allRows: readonly TaskRow[] | null = null;
  private visibleRows: readonly TaskRow[] | null = null;
  private tally: TaskCounts | null = null;
  private shownText = '';
  private shownState: StateFilter = 'all';
  private shownOrder: TaskOrder = 'name';

  constructor(private readonly api: TaskApi) {}

  /** Emitted when anything that is shown has changed. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** Emitted once for each run that ends while we listen. */
  get runEnded(): ISignal<this, Run> {
    return this.runEndedSignal;
  }

  /** Emitted when an order was refused. */
  get refused(): ISignal<this, Refused> {
    return this.refusedSignal;
  }

  /** In the order of names. The same array until something changes, as with `visible`. */
  get all(): readonly TaskRow[] {
    this.keys ??= [...this.rows.keys].sort(compareNames);
    this.allRows ??= this.keys.map((key) => this.rows.row(key)).filter((row) => row !== null);
    return this.allRows;
  }

  /** Those that the filters let through, in the order that was chosen. */
  get visible(): readonly TaskRow[] {
    if (this.visibleRows === null) {
      const words = wordsOf(this.shownText);
      const rows = this.all.filter(
        ({ task }) => isInState(task, this.shownState) && isAbout(task, words),
      );
      this.visibleRows = inOrder(rows, this.shownOrder);
    }
    return this.visibleRows;
  }

  /** How many there are of each state, whatever the filters say. */
  get counts(): TaskCounts {
    this.tally ??= countTasks(this.all);
    return this.tally;
  }

  /** Only tasks with all of these words are shown. */
  get text(): string {
    return this.shownText;
  }

  set text(text: string) {
    this.shownText = text;
    this.choose();
  }

  get state(): StateFilter {
    return this.shownState;
  }

  set state(state: StateFilter) {
    this.shownState = state;
    this.choose();
  }

  get order(): TaskOrder {
    return this.shownOrder;
  }

  set order(order: TaskOrder) {
    this.shownOrder = order;
    this.choose();
  }

  find(key: string): TaskRow | null {
    return this.rows.row(key);
  }

  findByName(name: string): TaskRow | null {
    return this.rows.row(taskKey(name));
  }

  /** Orders something of a task, and shows it as done until the server says otherwise. */
  async perform(
    name: string,
    order: Order,
    options: OrderOptions = {},
  ): Promise<Outcome<OrderAnswer>> {
    const send = () => this.api.orderTask(name, order, options);
    const outcome = await this.rows.perform(taskKey(name), order, send);
    if (!outcome.ok) {
      this.refusedSignal.emit({ what: name, kernelId: null, error: outcome.error });
    }
    return outcome;
  }

  /** Forgets why the last order was refused. */
  dismiss(key: string): void {
    this.rows.dismiss(key);
  }

  /** The last runs of a task, to be loaded by who asks, and disposed of. */
  history(name: string): RunHistory {
    const history = new RunHistory(name, this.api, (each) => this.histories.delete(each));
    this.histories.add(history);
    return history;
  }

  /** Takes in the list. */
  list({ tasks, writable, problem }: TaskListing): void {
    this.loaded = true;
    this.writable = writable;
    this.problem = problem;
    const gone = new Set(this.rows.keys);
    for (const task of tasks) {
      gone.delete(this.set(task));
    }
    for (const key of gone) {
      this.delete(key);
    }
    this.touch();
    for (const history of this.histories) {
      void history.load(); // It may have missed what the list was read anew for.
    }
  }

  /** Takes in what has changed. */
  apply({ tasks, removed, runs }: Pick<Changes, 'tasks' | 'removed' | 'runs'>): void {
    if (tasks.length + removed.length + runs.length === 0) {
      return;
    }
    for (const task of tasks) {
      this.set(task);
    }
    for (const name of removed) {
      this.delete(taskKey(name));
    }
    const ended = this.endedRuns.news(runs);
    for (const history of this.histories) {
      const news = runs.filter((run) => run.task === history.task);
      if (news.length > 0) {
        history.apply(news);
      }
    }
    this.touch();
    for (const run of ended) {
      this.runEndedSignal.emit(run);
    }
  }

  dispose(): void {
    this.rows.dispose();
    for (const history of [...this.histories]) {
      history.dispose();
    }
    Signal.clearData(this);
  }

  private set(task: Task): string {
    const key = taskKey(task.name);
    if (this.rows.told(key) === undefined) {
      this.keys = null;
    }
    this.rows.set(key, task);
    return key;
  }

  private delete(key: string): void {
    if (this.rows.told(key) !== undefined) {
      this.keys = null;
      this.rows.delete(key);
    }
  }

  private touch(): void {
    this.allRows = null;
    this.tally = null;
    this.choose();
  }

  private choose(): void {
    this.visibleRows = null;
    this.changedSignal.emit();
  }
}
