/** `display(state)`: busy, the URL, and the periodic callbacks and tasks with their switches. */
import { addressOf, type PanelMessage, type Refusal, type TaskRow } from '../../shared/panel';
import { type FollowingModel, followPage, type PageState } from '../pageModel';
import { createSpinner } from '../spinner';
import { CallbackItem } from './callbackItem';
import { element, setText } from './dom';
import { TaskItem } from './taskItem';

interface PanelModel extends FollowingModel {
  send(message: PanelMessage): void;
  on(event: 'change:page', callback: () => void): void;
  on(event: 'msg:custom', callback: (message: Refusal) => void): void;
  off(event: 'change:page', callback: () => void): void;
  off(event: 'msg:custom', callback: (message: Refusal) => void): void;
}

const HOW_TO = 'state.add_periodic_callback(f, 500)';

export default {
  render({ model, el }: { model: PanelModel; el: HTMLElement }): () => void {
    const panel = createPanel((message) => model.send(message));
    el.append(panel.root);
    const refuse = (message: Refusal) => {
      if (message.kind === 'refusal') {
        panel.refuse(message);
      }
    };
    model.on('msg:custom', refuse);
    const unfollow = followPage(model, panel.show);
    return () => {
      model.off('msg:custom', refuse);
      unfollow();
      panel.stop();
    };
  },
};

interface Panel {
  readonly root: HTMLElement;
  readonly show: (state: PageState) => void;
  refuse(refusal: Refusal): void;
  stop(): void;
}

function createPanel(send: (message: PanelMessage) => void): Panel {
  const spinner = createSpinner();
  const status = element('span', 'nbsession-panel-status', { 'aria-hidden': 'true' });
  const address = element('code', 'nbsession-panel-address', { 'aria-label': 'URL of the page' });
  const header = element('div', 'nbsession-panel-header', {}, spinner.element, status, address);
  const title = element('div', 'nbsession-panel-title', {}, 'Periodic callbacks');
  const list = element('ul', 'nbsession-panel-list', { 'aria-label': 'Periodic callbacks' });
  const code = element('code', '', {}, HOW_TO);
  const empty = element('div', 'nbsession-panel-empty', {}, 'None yet. ', code, ' makes one.');
  const root = element('section', 'nbsession-panel', {
    'aria-label': 'Session state',
    'data-lm-suppress-shortcuts': 'true', // Enter on a switch is not "edit this cell".
  });
  const tasks = createTaskList(send);
  root.append(header, title, list, empty, tasks.root);

  const items = new Map<string, CallbackItem>();
  const show = ({ live, busy, location, callbacks, tasks: rows }: PageState) => {
    root.dataset.live = String(live);
    spinner.show(busy, '');
    setText(status, live ? (busy ? 'Busy' : 'Idle') : 'Not connected');
    setText(address, addressOf(location) || 'no page has reported its URL yet');
    address.dataset.known = String(addressOf(location) !== '');

    const ids = new Set(callbacks.map(({ id }) => id));
    for (const [id, item] of items) {
      if (!ids.has(id)) {
        item.root.remove();
        items.delete(id);
      }
    }
    for (const row of callbacks) {
      let item = items.get(row.id);
      if (item === undefined) {
        item = new CallbackItem(row.id, send);
        items.set(row.id, item);
        list.append(item.root);
      }
      item.show(row, live);
    }
    list.hidden = items.size === 0;
    empty.hidden = items.size > 0;
    tasks.show(rows, live);
  };
  return {
    root,
    show,
    refuse: (refusal) => {
      items.get(refusal.id)?.complain(refusal.reason);
      tasks.refuse(refusal);
    },
    stop: () => spinner.stop(),
  };
}

interface TaskList {
  readonly root: HTMLElement;
  show(rows: readonly TaskRow[], live: boolean): void;
  refuse(refusal: Refusal): void;
}

/** The kernel's own tasks; not there at all while there are none. */
function createTaskList(send: (message: PanelMessage) => void): TaskList {
  const title = element('div', 'nbsession-panel-title', {}, 'Tasks of this kernel');
  const list = element('ul', 'nbsession-panel-list', { 'aria-label': 'Tasks of this kernel' });
  const root = element('div', 'nbsession-panel-tasks', {}, title, list);
  root.hidden = true;
  const items = new Map<string, TaskItem>();
  return {
    root,
    show: (rows, live) => {
      const names = new Set(rows.map(({ name }) => name));
      for (const [name, item] of items) {
        if (!names.has(name)) {
          item.root.remove();
          items.delete(name);
        }
      }
      let next: Node | null = null; // Rows come by name: each new one goes before the one after it.
      for (const row of [...rows].reverse()) {
        let item = items.get(row.name);
        if (item === undefined) {
          item = new TaskItem(row.name, send);
          items.set(row.name, item);
          list.insertBefore(item.root, next);
        }
        item.show(row, live);
        next = item.root;
      }
      root.hidden = items.size === 0;
    },
    refuse: ({ id, reason }) => {
      if (id.startsWith('task:')) {
        items.get(id.slice('task:'.length))?.complain(reason);
      }
    },
  };
}
