import type { ApiError } from '../model';
import type { Trans } from './trans';

/** Why something was not done, for the user. */
export function errorWords({ status, kind, message }: ApiError, trans: Trans): string {
  if (status === 0) {
    return trans.__('The server does not answer.');
  }
  if (status === 403) {
    return trans.__('You may not do that here.');
  }
  switch (kind) {
    case 'silent_kernel':
      return trans.__('The kernel does not answer.');
    case 'no_such_task':
      return trans.__('This task is no longer there.');
    case 'no_such_session':
      return trans.__('This session has ended.');
    default:
      return message;
  }
}
