/**
 * The labextension. This file only wires.
 *
 * Voilà loads it as well, and has no shared @jupyterlab/notebook: import values only from packages that
 * both share (@jupyterlab/services, @jupyterlab/coreutils), and from others nothing but types.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { queryOf, SECRET_PARAMETERS, stripParameters } from '../shared/query';
import { type KernelOwner, PageQuerySender, type PutPageQuery } from './pageQuery';

const pageQuery: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:page-query',
  description: "Tells the server the query that JupyterLab's page was opened with.",
  autoStart: true,
  activate: (app) => {
    if (app.name !== 'JupyterLab') {
      return; // Notebook 7 and Voilà keep the query in the request that the server sees.
    }
    const sender = new PageQuerySender(originalUrl(), putPageQuery(app));
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (_, context) => sender.follow(context.sessionContext),
    });
    // Consoles are no documents; they are found when they come to the front.
    const followCurrent = () => {
      const widget = app.shell.currentWidget as { sessionContext?: KernelOwner } | null;
      if (widget?.sessionContext) {
        sender.follow(widget.sessionContext);
      }
    };
    app.shell.currentChanged?.connect(followCurrent);
    followCurrent();
  },
};

/** The address that was asked for; `location` has lost its query by now. */
function originalUrl(): string {
  return performance.getEntriesByType('navigation')[0]?.name ?? location.href;
}

function putPageQuery(app: JupyterFrontEnd): PutPageQuery {
  const settings = app.serviceManager.serverSettings;
  return (kernelId, body) =>
    ServerConnection.makeRequest(
      URLExt.join(settings.baseUrl, 'nbsession/api/sessions', encodeURIComponent(kernelId), 'page'),
      {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...body, path: location.pathname }),
      },
      settings,
    );
}

/**
 * Notebook 7 keeps its query. The server sees it in the Referer, but for a page that may send none.
 */
const notebookQuery: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:notebook-query',
  description: "Tells the server the query of Notebook 7's page.",
  autoStart: true,
  activate: (app) => {
    if (app.name !== 'Jupyter Notebook') {
      return;
    }
    const query = stripParameters(queryOf(location.href), SECRET_PARAMETERS);
    const put = putPageQuery(app);
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (_, { sessionContext }) => {
        const send = (kernelId: string | undefined) => {
          if (kernelId) {
            put(kernelId, { query }).catch((error) => console.debug(`nbsession: ${error}`));
          }
        };
        sessionContext.kernelChanged.connect((_, { newValue }) => send(newValue?.id));
        send(sessionContext.session?.kernel?.id);
      },
    });
  },
};

/** The names of the applications that share what `plugins/` imports. */
const WITH_SIDEBAR = ['JupyterLab', 'Jupyter Notebook'];

const lab: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:lab',
  description: 'Adds the sidebar and the rest, where there is a place for them.',
  autoStart: true,
  activate: async (app) => {
    if (WITH_SIDEBAR.includes(app.name)) {
      // Waited for: the layout is restored when all plugins are there.
      await (await import('./plugins')).activate(app);
    }
  },
};

export default [pageQuery, notebookQuery, lab];
