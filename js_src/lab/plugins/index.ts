/**
 * What nbsession adds to JupyterLab and Notebook 7.
 *
 * Loaded only there: Voilà does not share what these plugins import.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';
import { commands } from './commands';
import { news } from './model';
import { notifications } from './notifications';
import { preferences } from './preferences';
import { running } from './running';
import { sidebar } from './sidebar';
import { statusBar } from './statusBar';

// biome-ignore lint/suspicious/noExplicitAny: each provides something else, as in JupyterLab's own lists.
const plugins: JupyterFrontEndPlugin<any>[] = [
  preferences,
  news,
  sidebar,
  commands,
  running,
  statusBar,
  notifications,
];

/** Has the plugins take part in the start of the page, except those that were disabled. */
export async function activate(app: JupyterFrontEnd): Promise<void> {
  const enabled = plugins.filter(({ id }) => !PageConfig.Extension.isDisabled(id));
  app.registerPlugins(enabled);
  for (const { id } of enabled) {
    try {
      await app.activatePlugin(id);
    } catch (error) {
      // One that needs a disabled one; the others go on, as in JupyterLab's own start.
      console.warn(`nbsession: ${id} is off:`, error);
    }
  }
}
