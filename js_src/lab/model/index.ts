/** What the sidebar, the status bar and the rest show, without anything of JupyterLab's. */
export { ApiError } from './apiError';
export { Feed, type FeedStatus } from './feed';
export type { Outcome } from './ledger';
export type { NewErrors } from './newErrors';
export { HISTORY_LENGTH, RunHistory } from './runHistory';
export { ServerClock } from './serverClock';
export { SessionModel } from './sessionModel';
export type { CallbackState, SessionRow } from './sessionRow';
export { type Counts, type NamedTask, SidebarModel, type SidebarOptions } from './sidebarModel';
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
} from './sources';
export { type Refused, TaskModel } from './taskModel';
export { isDropped } from './taskOrder';
export { hasFailed, isOpen, type TaskRow, taskKey } from './taskRow';
export type { StateFilter, TaskCounts, TaskOrder } from './taskView';
export { Ticker } from './ticker';
