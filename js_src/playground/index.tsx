/**
 * The panel on a page of its own, without JupyterLab and without a server: for tests, and to look at it.
 *
 * `window.playground.show({...})` puts it there; the page has `<div id="playground">` and one of JupyterLab's themes.
 */
import * as React from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { SidebarModel } from '../lab/model';
import { PanelState } from '../lab/panel/panelState';
import { SidebarPanel } from '../lab/panel/sidebarPanel';
import { english } from '../testing/english';
import { Fixtures } from '../testing/fixtures';
import { FakeNotebooks } from '../testing/samples';
import { FakeServer, refusal } from './fakeServer';

interface Scene {
  /** A number for that many of the same; left out for one of each kind. */
  readonly tasks?: number;
  readonly sessions?: number;
  readonly writable?: boolean;
  readonly problem?: string;
  /** The status that every request ends with; 0 for no answer. */
  readonly failure?: number;
}

class Playground {
  server!: FakeServer;
  model!: SidebarModel;
  state!: PanelState;
  fixtures!: Fixtures;
  /** Paths of notebooks that were to be opened. */
  readonly opened: string[] = [];
  private root: Root | null = null;

  show({ tasks, sessions, writable = true, problem, failure }: Scene = {}): void {
    this.root?.unmount();
    this.fixtures = new Fixtures(Date.now());
    this.server = new FakeServer(this.fixtures);
    this.server.tasks = tasks === undefined ? this.fixtures.tasks() : this.fixtures.many(tasks);
    this.server.sessions =
      sessions === undefined ? this.fixtures.sessions() : this.fixtures.manySessions(sessions);
    this.server.writable = writable;
    this.server.problem = problem ?? null;
    this.fail(failure ?? null);
    const notebooks = new FakeNotebooks();
    notebooks.known.set('k1', { name: 'tour.ipynb', path: 'notebooks/tour.ipynb' });
    notebooks.known.set('k3', { name: 'clock.ipynb', path: 'clock.ipynb' });
    this.model = new SidebarModel({
      api: this.server,
      events: this.server,
      notebooks,
      page: document,
    });
    this.state = new PanelState(this.model);
    this.root = createRoot(document.getElementById('playground') as HTMLElement);
    this.root.render(
      <SidebarPanel
        model={this.model}
        state={this.state}
        trans={english}
        locale="en-GB"
        openNotebook={(path) => this.opened.push(path)}
      />,
    );
    this.model.start();
  }

  fail(status: number | null): void {
    this.server.failure =
      status === null
        ? null
        : refusal(status, status === 0 ? 'network' : 'unknown', `HTTP ${status}`);
  }

  refuse(message: string): void {
    this.server.refusal = refusal(409, 'not_runnable', message);
  }
}

declare global {
  interface Window {
    playground: Playground;
  }
}

window.playground = new Playground();
