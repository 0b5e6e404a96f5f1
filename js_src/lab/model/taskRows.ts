import type { Order, Task } from '../../shared/tasks';
import { Ledger, type Outcome } from './ledger';
import { hasObeyed, isDropped, ordered, type TaskOrdered, withOrder } from './taskOrder';
import type { TaskRow } from './taskRow';

/** News come within a fraction of a second. */
const PATIENCE_MS = 2000;

/** A kernel whose loop is kept by a cell obeys when the cell has ended. */
const PATIENCE_WITH_KERNELS_MS = 60_000;

/** Tasks as the server told them, with what is under way, by key. */
export class TaskRows {
  private readonly tasks = new Map<string, Task>();
  private readonly rows = new Map<string, TaskRow | null>();
  private readonly ledger: Ledger<TaskOrdered>;

  /** @param onChange - Called when a row has changed that the server has not told of. */
  constructor(onChange: () => void) {
    this.ledger = new Ledger<TaskOrdered>({
      isSame: (one, other) => one.order === other.order,
      isTold: (key, action, answer) => isDropped(answer) || hasObeyed(this.tasks.get(key), action),
      patienceMs: (answer) =>
        (answer as { done?: boolean } | null)?.done === false
          ? PATIENCE_WITH_KERNELS_MS
          : PATIENCE_MS,
      onChange: (key) => {
        this.rows.delete(key);
        onChange();
      },
    });
  }

  /** Those that the server has told, whether they are shown or not. */
  get keys(): IterableIterator<string> {
    return this.tasks.keys();
  }

  /** As the server told it. */
  told(key: string): Task | undefined {
    return this.tasks.get(key);
  }

  /** As it is shown; null if it is not, or will be gone. */
  row(key: string): TaskRow | null {
    let row = this.rows.get(key);
    if (row === undefined) {
      row = this.make(key);
      this.rows.set(key, row);
    }
    return row;
  }

  /** Returns whether that is news. */
  set(key: string, task: Task): boolean {
    const known = this.tasks.get(key);
    if (known && (known === task || JSON.stringify(known) === JSON.stringify(task))) {
      return false;
    }
    this.tasks.set(key, task);
    if (known) {
      this.ledger.told(key);
    } else {
      this.ledger.gone(key); // That was said of another one under the name.
    }
    this.rows.delete(key);
    return true;
  }

  delete(key: string): void {
    this.tasks.delete(key);
    this.ledger.gone(key);
    this.rows.delete(key);
  }

  /** Orders something of a task, and shows it as done. */
  perform<Answer>(
    key: string,
    order: Order,
    send: () => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    return this.ledger.perform(key, ordered(order, this.tasks.get(key)), send);
  }

  dismiss(key: string): void {
    this.ledger.dismiss(key);
  }

  dispose(): void {
    this.ledger.dispose();
  }

  private make(key: string): TaskRow | null {
    const told = this.tasks.get(key);
    const action = this.ledger.action(key);
    const task = told && action ? withOrder(told, action) : told;
    return task
      ? {
          key,
          task,
          pending: action && this.ledger.isPending(key) ? action.order : null,
          refusal: this.ledger.refusal(key),
        }
      : null;
  }
}
