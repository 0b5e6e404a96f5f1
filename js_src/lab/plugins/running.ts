import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers, type IRunningSessions } from '@jupyterlab/running';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { type ISignal, Signal } from '@lumino/signaling';
import { stateWords } from '../format/task';
import { hasFailed, type SidebarModel, type TaskRow } from '../model';
import { tasksIcon } from './icon';
import { allTasks, canOrder, carryOut, confirmCancel } from './taskActions';
import { INews, ISidebar } from './tokens';
import '../../style/running.css';

/** JupyterLab's section draws each of its rows at every change: it stays short. */
const MOST = 100;

/** Between two changes that the section is told of. */
const PACE_MS = 1000;

/** A section of the Running panel, which the file page of Notebook 7 has as well. */
export const running: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:running',
  description: 'Lists the scheduled tasks among what is running.',
  autoStart: true,
  requires: [INews, ISidebar],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    news: INews,
    sidebar: ISidebar,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('nbsession');
    managers?.add(new RunningTasks(news, sidebar, trans));
  },
};

class RunningTasks implements IRunningSessions.IManager {
  readonly name: string;
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;
  readonly supportsMultipleViews = false;

  private readonly signal = new Signal<this, void>(this);
  private shown = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly news: INews,
    private readonly sidebar: ISidebar,
    private readonly trans: TranslationBundle,
  ) {
    this.name = trans.__('Scheduled Tasks');
    this.shutdownLabel = trans.__('Cancel');
    this.shutdownAllLabel = trans.__('Cancel All');
    this.shutdownAllConfirmationText = trans.__(
      'No scheduled task of this server and its kernels will run any more. Cancel them all?',
    );
    news.loaded.then(
      (model) => model.changed.connect(this.tellSoon, this),
      () => undefined, // It has been said where it was loaded.
    );
  }

  get runningChanged(): ISignal<this, void> {
    return this.signal;
  }

  running(): IRunningSessions.IRunningItem[] {
    const { model } = this.news;
    if (!model) {
      return [];
    }
    const rows = listed(model);
    const items = rows.slice(0, MOST).map((row) => this.item(model, row));
    const more = rows.length - items.length;
    if (more > 0) {
      items.push({
        icon: () => tasksIcon,
        label: () => this.trans._n('%1 more…', '%1 more…', more),
        open: () => void this.sidebar.open(),
      });
    }
    return items;
  }

  refreshRunning(): void {
    void this.news.model?.feed.refresh();
  }

  /** The section has asked. */
  shutdownAll(): void {
    const { model } = this.news;
    for (const { task } of model ? listed(model) : []) {
      if (model && canOrder(model, task, 'cancel')) {
        void carryOut(model, task, 'cancel', this.trans);
      }
    }
  }

  private item(model: SidebarModel, row: TaskRow): IRunningSessions.IRunningItem {
    const { task } = row;
    const { name, kernel_id: kernelId } = task;
    const canCancel = canOrder(model, task, 'cancel');
    const cancel = async () => {
      if (await confirmCancel(task, this.trans)) {
        await carryOut(model, task, 'cancel', this.trans);
      }
    };
    return {
      icon: () => tasksIcon,
      label: () => name,
      labelTitle: () => task.callback,
      detail: () => wordsOf(row, this.trans),
      open: () => void this.sidebar.open({ task: name, kernelId }),
      // The section has its button for all of them wherever it has items: the style hides it.
      ...(canCancel ? { shutdown: () => void cancel() } : { className: 'nbsession-mod-readOnly' }),
    };
  }

  private tellSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.tell();
    }, PACE_MS);
  }

  private tell(): void {
    const shown = JSON.stringify(
      this.running().map(({ label, detail, className }) => [label(), detail?.(), className]),
    );
    if (shown !== this.shown) {
      this.shown = shown;
      this.signal.emit();
    }
  }
}

/** Those that run or will run; what runs now comes first. */
function listed(model: SidebarModel): readonly TaskRow[] {
  const rows = allTasks(model).filter(({ task }) => task.state !== 'finished');
  const isRunning = ({ task }: TaskRow) => (task.state === 'running' ? 0 : 1);
  return rows.sort((a, b) => isRunning(a) - isRunning(b));
}

/** One word, for there is room for no more. */
function wordsOf({ task }: TaskRow, trans: TranslationBundle): string {
  const isFailed = hasFailed(task) && task.state !== 'running';
  return stateWords(isFailed ? 'failed' : task.state, trans);
}
