import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, InputDialog } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Order, Task } from '../../shared/rest';
import type { SidebarModel, TaskRow } from '../model';
import { allTasks, canOrder, carryOut, confirmCancel } from './taskActions';
import { labelsOf } from './taskLabels';
import { INews, ISidebar } from './tokens';

export const OPEN = 'nbsession:open';

/** Arguments: `name`, and `kernelId` for a task of a kernel. Without, the user is asked. */
const ORDERS: readonly Order[] = ['run', 'pause', 'resume', 'cancel'];

export const commands: JupyterFrontEndPlugin<void> = {
  id: 'nbsession:commands',
  description:
    'Commands to open the panel, and to run, pause, resume and cancel a task by its name.',
  autoStart: true,
  requires: [INews, ISidebar],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    news: INews,
    sidebar: ISidebar,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('nbsession');
    const category = trans.__('Scheduled Tasks');
    app.commands.addCommand(OPEN, {
      label: trans.__('Scheduled Tasks and Sessions'),
      caption: trans.__('Show what runs, when next, and what went wrong'),
      execute: ({ name, kernelId, runId }) =>
        sidebar.open(
          typeof name === 'string'
            ? { task: name, kernelId: text(kernelId), runId: Number(runId) || null }
            : undefined,
        ),
    });
    palette?.addItem({ command: OPEN, category });
    for (const order of ORDERS) {
      const command = `nbsession:${order}`;
      app.commands.addCommand(command, {
        label: labelOf(order, trans),
        isEnabled: () => choices(news.model, order).length > 0,
        execute: (args) => execute(news, order, args, trans),
      });
      palette?.addItem({ command, category });
    }
  },
};

function labelOf(order: Order, trans: TranslationBundle): string {
  switch (order) {
    case 'run':
      return trans.__('Run a Task Now…');
    case 'pause':
      return trans.__('Pause a Task…');
    case 'resume':
      return trans.__('Resume a Task…');
    case 'cancel':
      return trans.__('Cancel a Task…');
  }
}

function choices(model: SidebarModel | null, order: Order): readonly TaskRow[] {
  return model ? allTasks(model).filter(({ task }) => canOrder(model, task, order)) : [];
}

async function execute(
  news: INews,
  order: Order,
  { name, kernelId }: ReadonlyPartialJSONObject,
  trans: TranslationBundle,
): Promise<void> {
  const model = await news.loaded;
  if (typeof name !== 'string') {
    const task = await ask(model, order, trans);
    if (task) {
      await carryOut(model, task, order, trans);
    }
    return;
  }
  const task = { name, kernel_id: text(kernelId) };
  if (order !== 'cancel' || (await confirmCancel(task, trans))) {
    await carryOut(model, task, order, trans);
  }
}

/** Lets the user choose one of the tasks for which the order makes sense. */
async function ask(
  model: SidebarModel,
  order: Order,
  trans: TranslationBundle,
): Promise<Task | null> {
  const rows = choices(model, order);
  const labels = labelsOf(
    rows.map(({ task }) => task),
    model,
    trans,
  );
  const { button, value } = await InputDialog.getItem({
    title: labelOf(order, trans).replace('…', ''),
    label: trans.__('Task'),
    items: labels,
    okLabel: verbOf(order, trans),
    cancelLabel: trans.__('Back'),
  });
  return button.accept && value !== null ? (rows[labels.indexOf(value)]?.task ?? null) : null;
}

function verbOf(order: Order, trans: TranslationBundle): string {
  switch (order) {
    case 'run':
      return trans.__('Run Now');
    case 'pause':
      return trans.__('Pause');
    case 'resume':
      return trans.__('Resume');
    case 'cancel':
      return trans.__('Cancel Task');
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
