/** What tasks are and do, in words. */
export { ago, countdown, type Passing } from './countdown';
export { cronWords } from './cron';
export { durationWords, lengthWords } from './duration';
export { errorWords } from './error';
export { instantWords, shortInstant, spanWords } from './instant';
export { everyWords, periodWords } from './period';
export { scheduleWords } from './schedule';
export {
  durationOf,
  gapWords,
  policyWords,
  runWords,
  stateTimes,
  stateWords,
  timesWords,
} from './task';
export { localeOf, type Trans } from './trans';
