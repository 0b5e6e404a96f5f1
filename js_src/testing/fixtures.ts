/** Tasks, runs and sessions of all kinds, as seen at `now`. */

import type { Run, RunState, Session, Task } from '../shared/rest';
import { aCallback, aRun, aSession, aTask } from './samples';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const TRACEBACK = `Traceback (most recent call last):
  File "/srv/prices/jobs/prices.py", line 41, in refresh
    rows = fetch(url, timeout=10)
           ^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/prices/jobs/prices.py", line 12, in fetch
    raise ConnectionError(f"{url}: no answer within {timeout} s")
ConnectionError: https://prices.example.org/v2/daily?region=europe&currency=EUR: no answer within 10 s
`;

const REASONS: Partial<Record<RunState, string>> = {
  skipped: 'the run before was still going',
  missed: 'missed; one later run stands in for it',
};

/** By the index of a row, how many occurrences were missed or skipped in a row. */
const GAPS: Record<number, number | null> = { 0: 77, 21: 1234, 22: null };

export class Fixtures {
  constructor(private readonly now: number) {}

  at(ms: number): string {
    return new Date(this.now + ms).toISOString();
  }

  /** One of each kind. */
  tasks(): Task[] {
    const { at } = { at: (ms: number) => this.at(ms) };
    const setup = {
      python: '/opt/venv/bin/python',
      folder: '/srv/prices',
      setup: '/srv/prices/tasks.py',
      directory: '/srv/prices',
      first_paths: [],
      last_paths: [],
    };
    return [
      aTask('refresh prices', {
        schedule: { period: '10m' },
        callback: 'jobs.prices:refresh',
        next_run: at(4 * MINUTE + 12 * SECOND),
        last_run: at(-5 * MINUTE - 48 * SECOND),
        last_state: 'failed',
        last_error: 'ConnectionError: no answer within 10 s',
        run_count: 1284,
        error_count: 3,
        policies: { ...aTask('x').policies, timeout_us: 60_000_000, retries: 2, process: true },
      }),
      aTask('nightly report', {
        schedule: { cron: '0 9 * * 1-5', tz: 'Europe/Berlin' },
        callback: 'reports:nightly',
        home: setup,
        owner: '/srv/prices/tasks.py',
        next_run: at(13 * HOUR),
        last_run: at(-11 * HOUR),
        run_count: 212,
      }),
      aTask('train model', {
        state: 'running',
        schedule: { period: '6h' },
        next_run: at(5 * HOUR),
        last_run: at(-6 * HOUR),
        run_count: 18,
        run: aRun(900, 'train model', {
          state: 'running',
          started_at: at(-95 * SECOND),
          ended_at: null,
          progress: 0.42,
          progress_text: 'epoch 21 of 50',
        }),
      }),
      aTask('sync files', {
        state: 'running',
        schedule: { period: '1m' },
        next_run: at(20 * SECOND),
        last_run: at(-40 * SECOND),
        run_count: 9000,
        run: aRun(901, 'sync files', {
          state: 'running',
          started_at: at(-12 * SECOND),
          ended_at: null,
        }),
      }),
      aTask('heartbeat', {
        schedule: { period: '30s' },
        next_run: at(8 * SECOND),
        last_run: at(-22 * SECOND),
        run_count: 43_211,
        gap: this.gap('heartbeat', 1234),
      }),
      aTask('clean up temporary files of all users', {
        state: 'paused',
        schedule: { cron: '@daily', tz: 'local' },
        next_run: null,
        last_run: at(-30 * HOUR),
        last_state: 'skipped',
        run_count: 77,
      }),
      aTask('import 2026', {
        state: 'finished',
        schedule: { at: at(-2 * HOUR) },
        next_run: null,
        last_run: at(-2 * HOUR),
      }),
      aTask('backup', {
        schedule: { cron: '30 2 * * 0' },
        last_state: 'lost',
        last_run: at(-26 * HOUR),
        next_run: at(60 * HOUR),
        run_count: 4,
        error_count: 1,
        editable: false,
      }),
      aTask('moon phase', {
        schedule: { at: 'callable' },
        state: 'finished',
        next_run: null,
        last_error: 'ValueError: no such month',
        ended_by: 'ValueError: no such month',
        run_count: 2,
      }),
      aTask('new one', {
        schedule: { period: '1h30m' },
        last_run: null,
        last_state: null,
        run_count: 0,
        next_run: at(90 * MINUTE),
      }),
      aTask('often late', {
        schedule: { period: '1s' },
        last_run: null,
        last_state: 'missed',
        run_count: 0,
        next_run: at(SECOND),
        gap: this.gap('often late', 99),
      }),
    ];
  }

  many(count: number): Task[] {
    return Array.from({ length: count }, (_, index) =>
      aTask(`task ${index + 1}`, {
        next_run: this.at((index + 1) * 7 * SECOND),
        last_run: this.at(-index * MINUTE),
        last_state: index % 17 === 3 ? 'failed' : 'succeeded',
        run_count: index,
        error_count: index % 17 === 3 ? 1 : 0,
      }),
    );
  }

  /** The newest first. */
  runs(task: Task, count = 50): Run[] {
    const gap = task.gap ? [task.gap] : [];
    if (task.run_count === 0) {
      return gap;
    }
    const states: Record<number, RunState> = {
      0: task.last_state ?? 'succeeded',
      9: 'failed',
      10: 'failed',
      21: 'skipped',
      22: 'missed',
      37: 'lost',
    };
    const first = task.run ? [task.run] : [];
    const past = Array.from({ length: Math.min(count, task.run_count) }, (_, index) => {
      const state = states[index] ?? 'succeeded';
      const start = -5 * MINUTE - index * 10 * MINUTE;
      const began = state !== 'skipped' && state !== 'missed';
      const took = 900 + ((index * 7919) % 1300) + (state === 'failed' ? 9000 : 0);
      return aRun(800 - index, task.name, {
        state,
        due: this.at(start),
        until: this.at(!began && index in GAPS ? start + 9 * MINUTE : start),
        count: !began && index in GAPS ? (GAPS[index] ?? null) : 1,
        started_at: began ? this.at(start) : null,
        ended_at: this.at(start + took),
        reason: REASONS[state] ?? null,
        error: state === 'failed' ? 'ConnectionError: no answer within 10 s' : null,
        tries: state === 'failed' ? 3 : 1,
      });
    });
    return [...first, ...gap, ...past].slice(0, count);
  }

  /** What was missed until just now. */
  private gap(task: string, count: number | null): Run {
    return aRun(850, task, {
      state: 'missed',
      reason: 'later than its misfire grace',
      due: this.at(-20 * MINUTE),
      until: this.at(-SECOND),
      count,
      started_at: null,
    });
  }

  text(run: Run): Run {
    return {
      ...run,
      output: run.state === 'succeeded' ? 'asked 12 regions\n1,284 rows written\n' : '',
      traceback: run.state === 'failed' ? TRACEBACK : null,
    };
  }

  sessions(): Session[] {
    return [
      aSession('k1', {
        busy: true,
        started_at: this.at(-HOUR),
        callbacks: [
          aCallback('c1', { name: 'update_plot', counter: 12_345, last_duration: 12 }),
          aCallback('c2', {
            name: 'poll_very_slow_sensor_of_the_greenhouse',
            period: 60_000,
            running: false,
            counter: 12,
            skipped: 3,
            count: 100,
            errors: 2,
            last_error: TRACEBACK,
          }),
        ],
        tasks: [
          aTask('redraw', {
            kernel_id: 'k1',
            home: null,
            schedule: { period: '5s' },
            next_run: this.at(3 * SECOND),
            last_run: this.at(-2 * SECOND),
            run_count: 512,
            callback: '__main__:redraw',
          }),
          aTask('read sensor', {
            kernel_id: 'k1',
            home: null,
            schedule: { period: '1m' },
            next_run: this.at(40 * SECOND),
            last_run: this.at(-20 * SECOND),
            last_state: 'failed',
            last_error: 'OSError: no such device: /dev/ttyUSB0',
            run_count: 12,
            error_count: 1,
            callback: '__main__:read_sensor',
          }),
        ],
      }),
      aSession('k2', {
        host_kind: 'voila',
        app_url: '/voila/render/dashboard.ipynb',
        busy: false,
        user: { username: 'bob', display_name: 'Bob' },
      }),
      aSession('k3', {
        host_kind: 'notebook',
        callbacks: [aCallback('c3', { name: 'tick', period: 1000, counter: 1 })],
      }),
    ];
  }

  manySessions(count: number): Session[] {
    return Array.from({ length: count }, (_, index) =>
      aSession(`kernel-${index}`, {
        callbacks: [
          aCallback('a', { name: `callback ${index}` }),
          aCallback('b', { name: 'other' }),
        ],
      }),
    );
  }
}
