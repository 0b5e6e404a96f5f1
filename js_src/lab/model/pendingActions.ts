import { ApiError } from './interfaces';

/** What came of an order. */
export type Outcome<Answer = unknown> =
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly error: ApiError };

interface Entry<Action> {
  readonly action: Action;
  pending: boolean;
  refusal: ApiError | null;
  timer?: ReturnType<typeof setTimeout>;
}

/** The last order for a thing, under way or waiting for those before it. */
interface Tail<Action> {
  readonly action: Action;
  readonly outcome: Promise<Outcome<never>>;
}

interface Rules<Action> {
  /** True if two actions on one thing are the same, so that a second click is none. */
  isSame(one: Action, other: Action): boolean;
  /** True if what the server has told of a thing shows this action's effect. */
  isTold(key: string, action: Action, answer: unknown): boolean;
  /** For how many ms an answered action is believed while the server does not tell of it. */
  patienceMs(answer: unknown): number;
  onChange(key: string): void;
}

/**
 * What was ordered and has not been told by the server yet.
 *
 * An action is shown at once, laid over what the server told last. That goes when the server tells the
 * effect itself, or refuses; so there is nothing to roll back, and news from before the order that
 * arrive after it do no harm.
 */
export class Ledger<Action> {
  private readonly entries = new Map<string, Entry<Action>>();
  private readonly tails = new Map<string, Tail<Action>>();
  private disposed = false;

  constructor(private readonly rules: Rules<Action>) {}

  /** The action to show on a thing; null if there is none. */
  action(key: string): Action | null {
    const entry = this.entries.get(key);
    return entry && !entry.refusal ? entry.action : null;
  }

  /** True if the server has not answered yet. */
  isPending(key: string): boolean {
    return this.entries.get(key)?.pending ?? false;
  }

  /** Why the last action on a thing was refused. */
  refusal(key: string): ApiError | null {
    return this.entries.get(key)?.refusal ?? null;
  }

  /**
   * Orders something.
   *
   * While the same order for the thing is under way, that one's outcome is returned; another one waits
   * for it, so that the server gets them in the order in which they were given.
   */
  perform<Answer>(
    key: string,
    action: Action,
    send: () => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    const before = this.tails.get(key);
    if (before && this.rules.isSame(before.action, action)) {
      return before.outcome;
    }
    const outcome = before
      ? before.outcome.then(() => this.begin(key, action, send))
      : this.begin(key, action, send);
    const tail = { action, outcome: outcome as Promise<Outcome<never>> };
    this.tails.set(key, tail);
    return outcome.finally(() => {
      if (this.tails.get(key) === tail) {
        this.tails.delete(key);
      }
    });
  }

  /** To be called when the server has told of a thing; makes no change known. */
  told(key: string): void {
    const entry = this.entries.get(key);
    if (entry && !entry.pending && !entry.refusal && this.rules.isTold(key, entry.action, null)) {
      this.remove(key);
    }
  }

  /** To be called when the server has told that a thing is gone; makes no change known. */
  gone(key: string): void {
    if (!this.isPending(key)) {
      this.remove(key);
    }
  }

  /** Forgets why the last action was refused. */
  dismiss(key: string): void {
    if (this.entries.get(key)?.refusal) {
      this.remove(key);
      this.rules.onChange(key);
    }
  }

  dispose(): void {
    this.disposed = true;
    for (const key of [...this.entries.keys()]) {
      this.remove(key);
    }
  }

  private begin<Answer>(
    key: string,
    action: Action,
    send: () => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    const entry: Entry<Action> = { action, pending: true, refusal: null };
    if (!this.disposed) {
      this.remove(key);
      this.entries.set(key, entry);
    }
    const outcome = this.carryOut(key, entry, send);
    if (!this.disposed) {
      this.rules.onChange(key);
    }
    return outcome;
  }

  private async carryOut<Answer>(
    key: string,
    entry: Entry<Action>,
    send: () => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    try {
      const answer = await send();
      this.answered(key, entry, answer);
      return { ok: true, answer };
    } catch (error) {
      const refusal = ApiError.of(error);
      if (this.entries.get(key) === entry) {
        entry.pending = false;
        entry.refusal = refusal;
        this.rules.onChange(key);
      }
      return { ok: false, error: refusal };
    }
  }

  private answered(key: string, entry: Entry<Action>, answer: unknown): void {
    if (this.entries.get(key) !== entry) {
      return;
    }
    entry.pending = false;
    if (this.rules.isTold(key, entry.action, answer)) {
      this.remove(key);
    } else {
      entry.timer = setTimeout(() => {
        this.remove(key);
        this.rules.onChange(key);
      }, this.rules.patienceMs(answer));
    }
    this.rules.onChange(key);
  }

  private remove(key: string): void {
    clearTimeout(this.entries.get(key)?.timer);
    this.entries.delete(key);
  }
}
