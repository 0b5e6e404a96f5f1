import { type ISignal, Signal } from '@lumino/signaling';
import { CHANGES_SCHEMA, type Changes, type Listing } from '../../shared/rest';
import { ApiError, type EventSource } from './interfaces';

/** `next`: in its turn. `known`: an old one. `gap`: some were lost, or another server counts. */
export type Verdict = 'next' | 'known' | 'gap';

/** Follows the serial numbers of events. */
export class Sequence {
  private serial: number | null = null;
  private now = '';

  /** The place of an event among those before it. */
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

/**
 * `starting`: the first list is not here. `live`: news come by themselves. `polling`: no news come, so
 * the lists are read anew while somebody looks. `interrupted`: the server does not answer. `absent`:
 * the server has no nbsession. `forbidden`: this user may not see it.
 */
export type FeedStatus = 'starting' | 'live' | 'polling' | 'interrupted' | 'absent' | 'forbidden';

/** What is fed. */
export interface Fed {
  /** Reads the lists, takes them in, and returns them. */
  read(): Promise<readonly Listing[]>;
  apply(changes: Changes): void;
}

/** Between two readings that nobody has asked for. */
const SECONDS_BETWEEN = 2;
const SECONDS_BETWEEN_POLLS = 10;
const MOST_SECONDS_TO_RETRY = 30;

/**
 * Keeps models as the server is: lists once, then events; lists again only where events may be missing.
 *
 * At rest it makes no request and has no timer.
 */
export class Feed {
  private current: FeedStatus = 'starting';
  private failure: ApiError | null = null;
  private readonly signal = new Signal<this, void>(this);
  private readonly sequence = new Sequence();
  private readonly ends: (() => void)[] = [];
  /** What has come while lists were read: they may be older than these. */
  private meanwhile: Changes[] | null = null;
  private reading: Promise<void> | null = null;
  private again = false;
  private lastRead = 0;
  private wasOpen: boolean | null = null;
  private retries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchers = 0;
  private disposed = false;

  constructor(
    private readonly events: EventSource,
    private readonly fed: Fed,
  ) {}

  /** Emitted when `status` or `error` has changed. */
  get changed(): ISignal<this, void> {
    return this.signal;
  }

  get status(): FeedStatus {
    return this.current;
  }

  /** Why the lists could not be read. */
  get error(): ApiError | null {
    return this.failure;
  }

  /** Begins, once. */
  start(): void {
    if (this.ends.length === 0 && !this.disposed) {
      this.wasOpen = this.events.isOpen;
      this.ends.push(
        this.events.listen((event) => this.hear(event)),
        this.events.follow(() => this.followConnection()),
      );
      void this.refresh();
    }
  }

  /** Reads the lists anew; while they are being read, once more after that. */
  refresh(): Promise<void> {
    if (this.disposed) {
      return Promise.resolve();
    }
    if (this.reading) {
      this.again = true;
      return this.reading;
    }
    this.unplan();
    this.reading = this.read().finally(() => {
      this.reading = null;
      this.next();
    });
    return this.reading;
  }

  /** Says that somebody looks; returns what says that nobody does any more. */
  watch(): () => void {
    this.watchers += 1;
    if (this.watchers === 1 && this.current === 'polling' && !this.reading) {
      this.plan(SECONDS_BETWEEN);
    }
    let isWatching = true;
    return () => {
      if (isWatching) {
        isWatching = false;
        this.watchers -= 1;
      }
    };
  }

  dispose(): void {
    this.disposed = true;
    this.unplan();
    for (const end of this.ends.splice(0)) {
      end();
    }
    Signal.clearData(this);
  }

  private hear(event: unknown): void {
    if ((event as { schema_id?: unknown } | null)?.schema_id !== CHANGES_SCHEMA) {
      return;
    }
    const changes = event as Changes;
    const verdict = this.sequence.judge(changes);
    if (verdict === 'known') {
      return;
    }
    this.meanwhile?.push(changes);
    this.fed.apply(changes);
    if (verdict === 'gap' || changes.incomplete) {
      this.refreshSoon();
    } else if (this.current === 'polling') {
      this.unplan();
      this.say('live', null);
    }
  }

  private followConnection(): void {
    const isOpen = this.events.isOpen;
    const hasOpened = isOpen === true && this.wasOpen !== true;
    this.wasOpen = isOpen;
    if (hasOpened || isOpen === null) {
      this.retries = 0;
      this.refreshSoon();
    } else if (isOpen === false && this.current === 'live') {
      // Most often it is back within a second; whether the server is there, a reading will tell.
      this.say('polling', null);
      this.plan(SECONDS_BETWEEN);
    }
  }

  private async read(): Promise<void> {
    this.meanwhile = [];
    try {
      const listings = await this.fed.read();
      if (this.disposed) {
        return;
      }
      this.sequence.listed(listings);
      for (const changes of this.meanwhile) {
        this.fed.apply(changes);
      }
      this.retries = 0;
      this.say(this.events.isOpen === false ? 'polling' : 'live', null);
    } catch (error) {
      const failure = ApiError.of(error);
      const status = { 403: 'forbidden', 404: 'absent' }[failure.status] as FeedStatus | undefined;
      this.say(status ?? 'interrupted', failure);
    } finally {
      this.meanwhile = null;
      this.lastRead = Date.now();
    }
  }

  /** Plans what is to be done after a reading, if anything is. */
  private next(): void {
    if (this.disposed) {
      return;
    }
    if (this.again) {
      this.again = false;
      this.refreshSoon();
    } else if (this.current === 'interrupted') {
      this.plan(Math.min(2 ** this.retries, MOST_SECONDS_TO_RETRY));
      this.retries += 1;
    } else if (this.current === 'polling' && this.watchers > 0) {
      this.plan(SECONDS_BETWEEN_POLLS);
    }
  }

  private refreshSoon(): void {
    if (this.reading) {
      this.again = true;
    } else {
      this.plan(Math.max(0, SECONDS_BETWEEN - (Date.now() - this.lastRead) / 1000));
    }
  }

  private plan(seconds: number): void {
    this.unplan();
    this.timer = setTimeout(() => void this.refresh(), seconds * 1000);
  }

  private unplan(): void {
    clearTimeout(this.timer);
  }

  private say(status: FeedStatus, error: ApiError | null): void {
    if (!this.disposed && (status !== this.current || error !== this.failure)) {
      this.current = status;
      this.failure = error;
      this.signal.emit();
    }
  }
}
