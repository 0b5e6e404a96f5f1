/** One task in the panel. */
import { type OrderTask, type PanelMessage, type TaskRow, taskNotesOf } from '../../shared/panel';
import { element, setText } from './dom';

export class TaskItem {
  readonly root: HTMLLIElement;
  private readonly toggle = element('button', 'nbsession-panel-switch', {
    type: 'button',
    role: 'switch',
  });
  private readonly name = element('span', 'nbsession-panel-name');
  private readonly run = element('button', 'nbsession-panel-run', { type: 'button' }, 'Run now');
  private readonly counter = element('span', 'nbsession-panel-counter');
  private readonly notes = element('div', 'nbsession-panel-notes');
  private readonly problem = element('div', 'nbsession-panel-problem', { role: 'alert' });
  private row: TaskRow | undefined;

  constructor(
    private readonly id: string,
    private readonly send: (message: PanelMessage) => void,
  ) {
    this.name.textContent = this.name.title = id;
    this.toggle.setAttribute('aria-label', `Schedule ${id}`);
    this.run.setAttribute('aria-label', `Run ${id} now`);
    this.problem.hidden = true;
    const first = element('div', 'nbsession-panel-row', {}, this.toggle, this.name, this.run);
    first.append(this.counter);
    this.root = element('li', 'nbsession-panel-callback', {}, first, this.notes, this.problem);
    this.toggle.addEventListener('click', this.switch);
    this.run.addEventListener('click', () => this.order('run'));
  }

  show(row: TaskRow, live: boolean): void {
    const before = this.row;
    this.row = row;
    this.run.disabled = !live;
    this.toggle.disabled = !live || row.state === 'finished';
    if (before?.state !== row.state) {
      const isOn = row.state === 'scheduled' || row.state === 'running';
      this.toggle.setAttribute('aria-checked', String(isOn));
      this.toggle.removeAttribute('data-waiting');
    }
    const runs = row.run_count === 1 ? '1 run' : `${row.run_count} runs`;
    setText(this.counter, row.error_count === 0 ? runs : `${runs}, ${row.error_count} failed`);
    setText(this.notes, taskNotesOf(row));
  }

  /** Says why the last order was not carried out. */
  complain(reason: string): void {
    this.toggle.removeAttribute('data-waiting');
    this.problem.textContent = reason;
    this.problem.hidden = reason === '';
  }

  private readonly switch = () => {
    this.toggle.setAttribute('data-waiting', '');
    this.order(this.row?.state === 'paused' ? 'resume' : 'pause');
  };

  private order(order: OrderTask['order']): void {
    this.complain('');
    this.send({ action: 'task', name: this.id, order });
  }
}
