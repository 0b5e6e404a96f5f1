/**
 * The labextension. This file only wires.
 *
 * Voilà loads it as well, and has no shared @jupyterlab/notebook: import values only from packages that
 * both share (@jupyterlab/services, @jupyterlab/coreutils), and from others nothing but types.
 */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { NOTEBOOKS, type Notebooks } from '../shared/notebooks';
import { isSecret, queryOf, stripParameters, stripUrlParameters } from '../shared/query';
import { MainArea, type MainWidget } from './mainArea';
import { type DocumentUrls, NotebookUrls, OpeningUrl } from './notebooks';
import { PageQuerySender, type PutPageQuery } from './pageQuery';

const pageQuery: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:page-query',
  description: "Gives each notebook its own query and hash of JupyterLab's URL.",
  autoStart: true,
  activate: (app) => {
    if (app.name !== 'JupyterLab') {
      return; // Notebook 7 and Voilà show one notebook, whose URL is the page's.
    }
    const documents = documentUrls(app);
    const urls = new NotebookUrls(window, openingUrl(documents), documents);
    const sender = new PageQuerySender(putPageQuery(app));
    const area = new MainArea(urls, (kernelId, query) => void sender.send(kernelId, query));
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (_, context) => area.addNotebook(context),
    });
    // Consoles are no documents; they are found when they come to the front.
    const followCurrent = () => area.setFront(app.shell.currentWidget as MainWidget | null);
    app.shell.currentChanged?.connect(followCurrent);
    followCurrent();
    void app.restored.then(() => urls.start());
    (window as { [NOTEBOOKS]?: Notebooks })[NOTEBOOKS] = urls;
  },
};

/** The address that was asked for; `location` has lost its query by now. */
function openingUrl(documents: DocumentUrls): OpeningUrl {
  const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const url = entry?.name ?? location.href;
  // JupyterHub counts its redirects in the URL; that is no part of a link to a notebook.
  const own = PageConfig.getOption('hubPrefix') ? stripUrlParameters(url, ['redirects']) : url;
  return new OpeningUrl(own, entry?.type === 'navigate', documents);
}

function documentUrls(app: JupyterFrontEnd): DocumentUrls {
  return {
    pathnameOf: (path) => URLExt.parse(PageConfig.getUrl({ treePath: path ?? '' })).pathname,
    isNotebook: (path) =>
      app.docRegistry
        .getFileTypesForPath(path)
        .some(({ contentType }) => contentType === 'notebook'),
  };
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
    const query = stripParameters(queryOf(location.href), isSecret);
    const sender = new PageQuerySender(putPageQuery(app));
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (_, { sessionContext }) => {
        const send = (kernelId: string | undefined) => {
          if (kernelId) {
            void sender.send(kernelId, query);
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
