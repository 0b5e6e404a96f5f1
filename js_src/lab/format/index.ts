/** Tasks, runs and schedules as text. */

export { cronWords, everyWords, periodWords, scheduleWords } from './schedule';
export {
  durationOf,
  errorWords,
  gapWords,
  policyWords,
  runWords,
  stateTimes,
  stateWords,
  timesWords,
} from './task';
export {
  ago,
  countdown,
  durationWords,
  instantWords,
  lengthWords,
  type Passing,
  shortInstant,
  spanWords,
} from './time';
export { localeOf, type Trans } from './trans';
