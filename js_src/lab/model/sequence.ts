import type { Changes, Listing } from '../../shared/tasks';

/** `next`: in its turn. `known`: an old one. `gap`: some were lost, or another server counts. */
export type Verdict = 'next' | 'known' | 'gap';

/** Follows the serial numbers of events. */
export class Sequence {
  private serial: number | null = null;
  private now = '';

  /** What an event is, after those that have come before it. */
  judge({ serial, now }: Pick<Changes, 'serial' | 'now'>): Verdict {
    const { serial: last, now: lastNow } = this;
    // A server that was started again counts from 1, at a later time.
    if (last !== null && serial <= last && !isLater(now, lastNow)) {
      return 'known';
    }
    this.serial = serial;
    this.now = now;
    return last === null || serial === last + 1 ? 'next' : 'gap';
  }

  /** Takes in up to which event the lists are complete, if they say it. */
  listed(listings: readonly Pick<Listing, 'serial' | 'now'>[]): void {
    for (const { serial, now } of earliest(listings)) {
      if (serial !== undefined && (this.serial === null || serial > this.serial)) {
        this.serial = serial;
        this.now = now;
      }
    }
  }
}

function earliest<Item extends Pick<Listing, 'serial'>>(listings: readonly Item[]): Item[] {
  return [...listings].sort((a, b) => (a.serial ?? 0) - (b.serial ?? 0)).slice(0, 1);
}

/** Python writes microseconds, and leaves them out where there are none. */
function isLater(a: string, b: string): boolean {
  return precise(a) > precise(b);
}

function precise(instant: string): string {
  return instant.replace(/(:\d\d)Z$/, '$1.000000Z');
}
