import type { Trans } from './trans';

const PERIOD = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;

/** A period of the server's grammar, `1h30m`, in words: `1 h 30 min`. What is none stays as it is. */
export function periodWords(period: string, trans: Trans): string {
  return parts(period, trans).join(' ') || period;
}

/** How often: `every 10 min`, `every hour`. */
export function everyWords(period: string, trans: Trans): string {
  const single: Record<string, string> = {
    '1w': trans.__('every week'),
    '1d': trans.__('every day'),
    '1h': trans.__('every hour'),
    '1m': trans.__('every minute'),
    '1s': trans.__('every second'),
  };
  return single[period] ?? trans.__('every %1', periodWords(period, trans));
}

function parts(period: string, trans: Trans): string[] {
  const [, weeks, days, hours, minutes, seconds, milliseconds] = PERIOD.exec(period) ?? [];
  return [
    weeks && trans._n('%1 week', '%1 weeks', Number(weeks)),
    days && trans._n('%1 day', '%1 days', Number(days)),
    hours && trans.__('%1 h', hours),
    minutes && trans.__('%1 min', minutes),
    seconds && trans.__('%1 s', seconds),
    milliseconds && trans.__('%1 ms', milliseconds),
  ].filter((part): part is string => part !== undefined && part !== '');
}
