/**
 * What the server tells of tasks, runs and sessions: the shapes of `openapi.yaml` and `events/changes.yaml`.
 *
 * Instants are ISO 8601 in UTC with `Z`. Names are the server's, so that the JSON is used as it comes.
 */
import type { CallbackRow } from './panel';

export type TaskState = 'scheduled' | 'running' | 'paused' | 'finished';

export type RunState =
  | 'queued'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'skipped'
  | 'missed'
  | 'lost';

/** What can be ordered of a task. */
export type Order = 'pause' | 'resume' | 'run' | 'cancel';

/** As it was declared; empty for once and now. `at` is an instant, `callable` or `iterator`. */
export interface Schedule {
  readonly at?: string;
  /** `1h30m`; see `words/period.ts`. */
  readonly period?: string;
  /** Five fields, or six with the seconds last. */
  readonly cron?: string;
  readonly tz?: string;
}

/** Where a global task runs. */
export interface Home {
  readonly python: string;
  readonly folder: string;
  /** Path of the setup script whose worker it is; null for tasks of notebooks. */
  readonly setup: string | null;
  /** The working directory. */
  readonly directory: string;
  /** What the notebook has added to `sys.path`, before the environment and after it. */
  readonly first_paths: readonly string[];
  readonly last_paths: readonly string[];
}

/** Durations in µs. */
export interface Policies {
  readonly overlap: 'skip' | 'queue' | 'allow';
  readonly misfire: 'run' | 'skip';
  readonly misfire_grace_us: number;
  readonly timeout_us: number | null;
  readonly retries: number;
  readonly threaded: boolean;
  readonly process: boolean;
}

/** One occurrence of a task, or several in a row that were missed or skipped. */
export interface Run {
  readonly id: number;
  /** The task's name. */
  readonly task: string;
  readonly state: RunState;
  /** Why, where it is not by an exception of its own: `timeout`, `cancelled`. */
  readonly reason: string | null;
  /** Null for a run by hand. */
  readonly due: string | null;
  /** When the last of several occurrences was due; of one the same as `due`. */
  readonly until: string | null;
  /** How many occurrences it stands for; null if they were too many to be counted. */
  readonly count: number | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly tries: number;
  /** The exception's type and message. */
  readonly error: string | null;
  /** From 0 to 1; null if the task says nothing. */
  readonly progress: number | null;
  readonly progress_text: string;
  /** Missing where only the row was told: events and open runs come without texts. */
  readonly traceback?: string | null;
  readonly output?: string;
}

export interface Task {
  /** Another one under the same name has another id. */
  readonly id: number;
  readonly name: string;
  /** The kernel that runs it; null for a global task. */
  readonly kernel_id: string | null;
  readonly state: TaskState;
  readonly schedule: Schedule;
  /** `module:qualname`. */
  readonly callback: string;
  /** Null for a task that a kernel runs itself. */
  readonly home: Home | null;
  /** The setup script that declares it. */
  readonly owner: string | null;
  readonly policies: Policies;
  readonly next_run: string | null;
  readonly last_run: string | null;
  /** Of the last run that has ended; of the last occurrence if none has ever begun. */
  readonly last_state: RunState | null;
  /** The last error, of a run or of the code of the schedule. */
  readonly last_error: string | null;
  /** The error by which the code of the schedule has ended the task. */
  readonly ended_by: string | null;
  readonly run_count: number;
  readonly error_count: number;
  /** True if this server has what it needs to run it. */
  readonly editable: boolean;
  /** The run that is open. */
  readonly run?: Run | null;
  /** What was missed or skipped since the last run. */
  readonly gap?: Run;
}

/** A periodic callback of a session. */
export interface SessionCallback extends CallbackRow {
  readonly errors?: number;
  /** In milliseconds. */
  readonly last_duration?: number | null;
}

/** What may be asked of a periodic callback; `period` in ms. */
export type CallbackChange = { readonly running: boolean } | { readonly period: number };

export interface SessionUser {
  readonly username: string;
  readonly display_name: string;
}

/** A kernel with a page. */
export interface Session {
  readonly kernel_id: string;
  readonly host_kind: 'lab' | 'notebook' | 'voila' | null;
  /** The page's path, without its query. */
  readonly app_url: string | null;
  readonly user: SessionUser | null;
  readonly started_at: string;
  /** True if nbsession was ever loaded there. */
  readonly linked: boolean;
  /** True if code of the user runs there; null if nobody knows. */
  readonly busy: boolean | null;
  readonly callbacks: readonly SessionCallback[];
  readonly tasks: readonly Task[];
}

/** What every list comes with. */
export interface Listing {
  /** The server's clock. */
  readonly now: string;
  /** True if this user may change things. */
  readonly writable: boolean;
  /** Of the last event that these rows include, from servers that tell it. */
  readonly serial?: number;
}

export interface TaskListing extends Listing {
  /** Why tasks are not kept when the server ends; null if they are. */
  readonly problem: string | null;
  readonly tasks: readonly Task[];
}

export interface SessionListing extends Listing {
  readonly sessions: readonly Session[];
}

export interface RunListing extends Listing {
  /** The newest first. */
  readonly runs: readonly Run[];
}

/** What a kernel answers to an order; not done yet while a cell keeps its loop. */
export interface KernelAnswer {
  readonly done?: boolean;
}

/** The id of the event that tells what has changed. */
export const CHANGES_SCHEMA = 'urn:nbsession:changes:v1';

/** That event: what has changed since the last one. */
export interface Changes {
  /** Counts these events. After a gap the lists have to be read anew. */
  readonly serial: number;
  readonly now: string;
  readonly tasks: readonly Task[];
  /** Names of global tasks that are no longer there. */
  readonly removed: readonly string[];
  /** Of global tasks, without texts. */
  readonly runs: readonly Run[];
  readonly sessions: readonly Session[];
  /** Kernel ids of sessions that have ended. */
  readonly ended: readonly string[];
  /** True if more has changed than is told here. */
  readonly incomplete: boolean;
}

/** The body of an answer that refuses. */
export interface ErrorBody {
  readonly message: string;
  readonly kind?: ErrorKind;
}

export type ErrorKind =
  | 'no_such_task'
  | 'no_such_session'
  | 'no_such_run'
  | 'not_in_kernel'
  | 'task_exists'
  | 'not_runnable'
  | 'store'
  | 'silent_kernel'
  | 'bad_request';
