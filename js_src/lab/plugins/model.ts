import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PromiseDelegate } from '@lumino/coreutils';
import type { SidebarModel } from '../model';
import { INews, IPreferences } from './tokens';

/** Loads the model when the page is there, so that its start is not held up. */
export const news: JupyterFrontEndPlugin<INews> = {
  id: 'nbsession:news',
  description: 'Follows the scheduled tasks and sessions of the server.',
  autoStart: true,
  requires: [IPreferences],
  provides: INews,
  activate: (app: JupyterFrontEnd, preferences: IPreferences) => {
    const loaded = new PromiseDelegate<SidebarModel>();
    const provided: { model: SidebarModel | null; loaded: Promise<SidebarModel> } = {
      model: null,
      loaded: loaded.promise,
    };
    const begin = async () => {
      const { makeModel } = await import('./lazyModel');
      const model = makeModel(app.serviceManager);
      followOrder(model, preferences);
      provided.model = model;
      loaded.resolve(model); // Whoever listens does so before the first news.
      await loaded.promise;
      model.start();
    };
    app.restored.then(begin).catch((error: unknown) => {
      loaded.reject(error);
      console.warn('nbsession: the scheduled tasks could not be loaded:', error);
    });
    loaded.promise.catch(() => undefined); // It has been said.
    return provided;
  },
};

/** Shows the tasks in the order of the settings, and keeps there what is chosen in the panel. */
function followOrder({ tasks }: SidebarModel, preferences: IPreferences): void {
  let known = preferences.order;
  tasks.order = known;
  preferences.changed.connect(() => {
    if (preferences.order !== known) {
      known = preferences.order;
      tasks.order = known;
    }
  });
  tasks.changed.connect(() => {
    if (tasks.order !== known) {
      known = tasks.order;
      preferences.setOrder(known);
    }
  });
}
