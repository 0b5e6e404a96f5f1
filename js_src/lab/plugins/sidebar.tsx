import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { localeOf } from '../format/trans';
import { tasksIcon } from './icon';
import { LatePanel } from './lazyPanel';
import { INews, IPreferences, ISidebar, type Target } from './tokens';

const PANEL_ID = 'nbsession-sidebar';

/** Below JupyterLab's own panels. */
const RANK = 350;

/** The panel in the left area; its views are loaded when it is shown for the first time. */
export const sidebar: JupyterFrontEndPlugin<ISidebar> = {
  id: 'nbsession:sidebar',
  description: 'The panel of scheduled tasks and sessions.',
  autoStart: true,
  requires: [INews, IPreferences],
  optional: [ITranslator, ILayoutRestorer],
  provides: ISidebar,
  activate: (
    app: JupyterFrontEnd,
    news: INews,
    preferences: IPreferences,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('nbsession');
    const openNotebook = (path: string) => void app.commands.execute('docmanager:open', { path });

    const makeView = async () => {
      const [{ PanelState, SidebarPanel }, model] = await Promise.all([
        import('./lazyViews'),
        news.loaded,
      ]);
      const state = new PanelState(model);
      const follow = () => {
        state.showSessions = preferences.showSessions;
      };
      preferences.changed.connect(follow);
      follow();
      const locale = localeOf(translator?.languageCode);
      const view = ReactWidget.create(
        <SidebarPanel {...{ model, state, trans, locale, openNotebook }} />,
      );
      view.addClass('nbsession-sidebar-view');
      return { view, state };
    };

    const caption = trans.__('Scheduled Tasks and Sessions');
    const panel = new LatePanel(makeView);
    panel.id = PANEL_ID;
    panel.title.icon = tasksIcon;
    panel.title.caption = caption;
    panel.node.setAttribute('role', 'region');
    panel.node.setAttribute('aria-label', caption);
    app.shell.add(panel, 'left', { rank: RANK, type: 'Scheduled Tasks' });
    restorer?.add(panel, PANEL_ID);
    return {
      open: async (target?: Target) => {
        if (panel.isVisible) {
          panel.activate(); // Asked again, older shells of Notebook would close it.
        } else {
          app.shell.activateById(PANEL_ID);
        }
        const { state } = await panel.content();
        if (target) {
          state.reveal(target.task, target);
        }
      },
    };
  },
};
