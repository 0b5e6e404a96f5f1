import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '../../shared/rest';
import { runWords } from '../format/task';
import { type NewErrors, type SidebarModel, taskKey } from '../model';
import { INews, IPreferences, ISidebar, type Target } from './tokens';

/** Failures that come together are told together. */
const GATHER_MS = 1000;

/** How many names a notification tells. */
const MOST_NAMES = 3;

/** Says when a task has failed, of the server or of a kernel: nobody may look at its notebook. */
export const notifications: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:notifications',
  description: 'Notifies when a task fails.',
  autoStart: true,
  requires: [INews, IPreferences, ISidebar],
  optional: [ITranslator],
  activate: (
    _: JupyterFrontEnd,
    news: INews,
    preferences: IPreferences,
    sidebar: ISidebar,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('nbsession');
    news.loaded.then(
      (model) => {
        const failures = new Failures(model, sidebar, trans);
        model.tasks.runEnded.connect((_, run) => {
          if (preferences.notifyOnFailure) {
            failures.noteRun(run);
          }
        });
        model.sessions.taskFailed.connect((_, news) => {
          if (preferences.notifyOnFailure) {
            failures.noteErrors(news);
          }
        });
      },
      () => undefined, // It has been said where it was loaded.
    );
  },
};

interface Failure {
  readonly target: Target;
  /** What became of the last run. */
  readonly words: string;
  readonly count: number;
}

/** The failures that the user has not dismissed yet, in one notification. */
class Failures {
  /** By task, the one that failed last at the end. */
  private readonly failures = new Map<string, Failure>();
  private readonly since: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shownId: string | null = null;

  constructor(
    private readonly model: SidebarModel,
    private readonly sidebar: ISidebar,
    private readonly trans: TranslationBundle,
  ) {
    this.since = Date.now();
  }

  /** Notes that a run of a task of the server has ended. */
  noteRun(run: Run): void {
    if (run.state !== 'failed' && run.state !== 'lost') {
      return;
    }
    // By the server's clock, for that is what the run tells.
    if (Date.parse(run.ended_at ?? '') < this.since + this.model.clock.offset) {
      return; // Before this page was opened.
    }
    this.note({
      target: { task: run.task, runId: run.id },
      words: runWords(run, this.trans),
      count: 1,
    });
  }

  /** Notes that a task of a kernel has failed. */
  noteErrors({ task, count }: NewErrors): void {
    const { name, kernel_id, last_error } = task;
    const words = runWords(
      { state: 'failed', count: 1, error: last_error, reason: null },
      this.trans,
    );
    this.note({ target: { task: name, kernelId: kernel_id }, words, count });
  }

  private note(failure: Failure): void {
    if (this.shownId !== null && !Notification.manager.has(this.shownId)) {
      this.shownId = null; // Dismissed: what comes now is new.
      this.failures.clear();
    }
    const key = taskKey(failure.target.task, failure.target.kernelId);
    const count = (this.failures.get(key)?.count ?? 0) + failure.count;
    this.failures.delete(key);
    this.failures.set(key, { ...failure, count });
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.show();
    }, GATHER_MS);
  }

  private show(): void {
    const message = this.message();
    const options = {
      autoClose: false as const,
      actions: [
        {
          label: this.trans.__('Show'),
          caption: this.trans.__('Show what went wrong'),
          callback: () => void this.lead(),
        },
      ],
    };
    if (this.shownId !== null) {
      Notification.update({ id: this.shownId, message, ...options });
    } else {
      this.shownId = Notification.error(message, options);
    }
  }

  private message(): string {
    const { trans } = this;
    const tasks = [...this.failures.values()].map(({ target }) => target.task).reverse();
    const only = this.only;
    if (only) {
      const { target, words, count } = only;
      return count === 1
        ? trans.__('Task “%1” %2', target.task, words)
        : trans.__('Task “%1” %2 (%3 times)', target.task, words, count);
    }
    const told = tasks.slice(0, MOST_NAMES).join(', ');
    return tasks.length > MOST_NAMES
      ? trans.__('%1 tasks have failed: %2, …', tasks.length, told)
      : trans.__('%1 tasks have failed: %2', tasks.length, told);
  }

  /** If it is one task that has failed. */
  private get only(): Failure | null {
    const [failure] = this.failures.values();
    return this.failures.size === 1 && failure ? failure : null;
  }

  private async lead(): Promise<void> {
    const { only } = this;
    if (only) {
      await this.sidebar.open(only.target);
    } else {
      this.model.filter({ state: 'failed' });
      await this.sidebar.open();
    }
  }
}
