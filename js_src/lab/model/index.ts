/** What the sidebar, the status bar and the rest show, without anything of JupyterLab's. */

export { Feed, type FeedStatus } from './feed';
export type { StateFilter, TaskCounts, TaskOrder } from './filter';
export {
  ApiError,
  type EventSource,
  type Notebook,
  type Notebooks,
  type OrderAnswer,
  type OrderOptions,
  type Page,
  type SessionApi,
  type SidebarApi,
  type TaskApi,
} from './interfaces';
export type { Outcome } from './pendingActions';
export { HISTORY_LENGTH, RunHistory } from './runHistory';
export { type NewErrors, SessionModel } from './sessionModel';
export type { CallbackState, SessionRow } from './sessionRow';
export { type Counts, type NamedTask, SidebarModel, type SidebarOptions } from './sidebarModel';
export { type Refused, TaskModel } from './taskModel';
export { hasFailed, isDropped, isOpen, type TaskRow, taskKey } from './taskRow';
export { ServerClock, Ticker } from './time';
