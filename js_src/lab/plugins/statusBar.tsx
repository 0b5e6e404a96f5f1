import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { GroupItem, IStatusBar, TextItem } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type ISignal, Signal } from '@lumino/signaling';
import * as React from 'react';
import type { Counts } from '../model';
import { tasksIcon } from './icon';
import { INews, ISidebar } from './tokens';

/** How many tasks run and how many have failed; not there while there are no tasks. */
export const statusBar: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:status-bar',
  description: 'Counts the running and the failed tasks in the status bar.',
  autoStart: true,
  requires: [INews, ISidebar],
  optional: [IStatusBar, ITranslator],
  activate: (
    _: JupyterFrontEnd,
    news: INews,
    sidebar: ISidebar,
    bar: IStatusBar | null,
    translator: ITranslator | null,
  ) => {
    if (!bar) {
      return; // As in Notebook 7.
    }
    const trans = (translator ?? nullTranslator).load('nbsession');
    const item = new TasksItem(trans, () => void sidebar.open());
    bar.registerStatusItem(statusBar.id, {
      item,
      align: 'left',
      rank: 10,
      isActive: () => item.hasTasks,
      activeStateChanged: item.activeChanged,
    });
    news.loaded.then((model) => {
      model.changed.connect(() => item.count(model.counts));
      item.count(model.counts);
    }, ignore);
  },
};

/** What cannot be loaded has been said where it was loaded. */
function ignore(): void {}

class TasksItem extends ReactWidget {
  private counts: Pick<Counts, 'all' | 'running' | 'failed'> = { all: 0, running: 0, failed: 0 };
  private readonly signal = new Signal<this, void>(this);

  constructor(
    private readonly trans: TranslationBundle,
    private readonly open: () => void,
  ) {
    super();
    this.addClass('jp-mod-highlighted');
  }

  get hasTasks(): boolean {
    return this.counts.all > 0;
  }

  get activeChanged(): ISignal<this, void> {
    return this.signal;
  }

  count(counts: Counts): void {
    const { all, running, failed } = this.counts;
    if (all === counts.all && running === counts.running && failed === counts.failed) {
      return;
    }
    const { hasTasks } = this;
    this.counts = counts;
    this.update();
    if (this.hasTasks !== hasTasks) {
      this.signal.emit();
    }
  }

  override render(): React.JSX.Element {
    const words = this.words();
    return (
      <GroupItem
        spacing={4}
        role="button"
        tabIndex={0}
        aria-label={this.trans.__('Scheduled tasks: %1', words)}
        title={this.trans.__('Show the scheduled tasks')}
        onClick={this.open}
        onKeyDown={(event) => {
          if (event.key === 'Enter' || event.key === ' ') {
            event.preventDefault();
            this.open();
          }
        }}
      >
        <tasksIcon.react tag="span" stylesheet="statusBar" />
        <TextItem source={words} />
      </GroupItem>
    );
  }

  private words(): string {
    const { trans } = this;
    const { all, running, failed } = this.counts;
    const parts = [
      running > 0 && trans._n('%1 running', '%1 running', running),
      failed > 0 && trans._n('%1 failed', '%1 failed', failed),
    ].filter((part) => part !== false);
    return parts.join(', ') || trans._n('%1 task', '%1 tasks', all);
  }
}
