import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import type { SidebarModel, TaskOrder } from '../model';

/** The live news of tasks and sessions. */
export interface INews {
  /** Everything there is to know; null until it has been loaded. */
  readonly model: SidebarModel | null;
  /** Loaded once the page is there, whoever asks and whenever. */
  readonly loaded: Promise<SidebarModel>;
}

export const INews = new Token<INews>('nbsession:INews');

/** What the user has chosen in the settings. */
export interface IPreferences {
  readonly notifyOnFailure: boolean;
  readonly showSessions: boolean;
  readonly order: TaskOrder;
  /** Emitted when one of them has changed, by whomever. */
  readonly changed: ISignal<IPreferences, void>;
  /** Keeps the order for the next time. */
  setOrder(order: TaskOrder): void;
}

export const IPreferences = new Token<IPreferences>('nbsession:IPreferences');

/** A task, and maybe one of its runs. */
export interface Target {
  readonly task: string;
  /** Of a task that a kernel runs itself. */
  readonly kernelId?: string | null;
  readonly runId?: number | null;
}

/** The panel of tasks and sessions. */
export interface ISidebar {
  /** Brings the panel to the front, and a task or run in it into view. */
  open(target?: Target): Promise<void>;
}

export const ISidebar = new Token<ISidebar>('nbsession:ISidebar');
