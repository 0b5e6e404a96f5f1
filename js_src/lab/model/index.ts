/** What the sidebar, the status bar and the rest show, without anything of JupyterLab's. */
export { ApiError } from './apiError';
export { Feed, type FeedStatus } from './feed';
export type { StateFilter, TaskCounts, TaskOrder } from './filter';
export type {
  EventSource,
  Notebook,
  Notebooks,
  OrderAnswer,
  OrderOptions,
  Page,
  SessionApi,
  SidebarApi,
  TaskApi,
} from './interfaces';
export type { Outcome } from './pendingActions';
export { HISTORY_LENGTH, RunHistory } from './runHistory';
export { type NewErrors, SessionModel } from './sessionModel';
export type { CallbackState, SessionRow } from './sessionRow';
export { type Counts, type NamedTask, SidebarModel, type SidebarOptions } from './sidebarModel';
export { type Refused, TaskModel } from './taskModel';
export { hasFailed, isDropped, isOpen, type TaskRow, taskKey } from './taskRow';
export { ServerClock, Ticker } from './time';
