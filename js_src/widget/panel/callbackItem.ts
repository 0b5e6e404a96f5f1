/** One periodic callback in the panel. */
import { type CallbackRow, notesOf, type PanelMessage, parsePeriod } from '../../shared/panel';
import { element, setText } from './dom';

let made = 0;

export class CallbackItem {
  readonly root: HTMLLIElement;
  private readonly toggle = element('button', 'nbsession-panel-switch', {
    type: 'button',
    role: 'switch',
  });
  private readonly name = element('span', 'nbsession-panel-name');
  private readonly period = element('input', 'nbsession-panel-period', {
    type: 'number',
    min: '1',
    step: '1',
    required: '',
  });
  private readonly counter = element('span', 'nbsession-panel-counter');
  private readonly notes = element('div', 'nbsession-panel-notes');
  private readonly problem = element('div', 'nbsession-panel-problem', { role: 'alert' });
  private readonly error = element('pre', '', { tabindex: '0' });
  private readonly details = element('details', 'nbsession-panel-error');
  private row: CallbackRow | undefined;
  private editing = false;

  constructor(
    private readonly id: string,
    private readonly send: (message: PanelMessage) => void,
  ) {
    made += 1;
    this.problem.id = `nbsession-problem-${made}`;
    this.problem.hidden = true;
    this.period.setAttribute('aria-describedby', this.problem.id);
    this.details.append(element('summary', '', {}, 'Last error'), this.error);
    const period = element('span', 'nbsession-panel-every', {}, this.period, ' ms');
    const first = element('div', 'nbsession-panel-row', {}, this.toggle, this.name, period);
    first.append(this.counter);
    this.root = element('li', 'nbsession-panel-callback', {}, first, this.notes);
    this.root.append(this.problem, this.details);

    this.toggle.addEventListener('click', this.switch);
    this.period.addEventListener('input', this.edit);
    this.period.addEventListener('change', this.commit);
    this.period.addEventListener('keydown', this.key);
    this.period.addEventListener('blur', this.leave);
  }

  show(row: CallbackRow, live: boolean): void {
    const before = this.row;
    this.row = row;
    this.toggle.disabled = this.period.disabled = !live;
    if (before?.running !== row.running) {
      this.toggle.setAttribute('aria-checked', String(row.running));
    }
    if (before?.running !== row.running || before.counter !== row.counter) {
      this.toggle.removeAttribute('data-waiting'); // It may have run and ended between two copies.
    }
    if (before?.name !== row.name) {
      this.name.textContent = this.name.title = row.name;
      this.toggle.setAttribute('aria-label', `Run ${row.name}`);
      this.period.setAttribute('aria-label', `Period of ${row.name} in ms`);
    }
    if (before?.period !== row.period && !this.editing) {
      this.reset();
    }
    setText(this.counter, row.counter === 1 ? '1 call' : `${row.counter} calls`);
    setText(this.notes, notesOf(row));
    setText(this.error, row.last_error ?? '');
    this.details.hidden = row.last_error === null;
  }

  /** Says why the last command was not carried out. */
  complain(reason: string): void {
    this.toggle.removeAttribute('data-waiting');
    this.problem.textContent = reason;
    this.problem.hidden = reason === '';
    if (reason === '') {
      this.period.removeAttribute('aria-invalid');
    } else {
      this.period.setAttribute('aria-invalid', 'true');
    }
  }

  private readonly switch = () => {
    this.toggle.setAttribute('data-waiting', '');
    this.send({ action: 'callback', id: this.id, set: { running: !this.row?.running } });
  };

  private readonly edit = () => {
    this.editing = true;
    const period = parsePeriod(this.period.value);
    if (typeof period === 'number') {
      this.complain('');
    }
  };

  private readonly commit = () => {
    const period = parsePeriod(this.period.value);
    if (typeof period === 'string') {
      this.complain(period);
      return;
    }
    this.complain('');
    this.editing = false;
    if (period !== this.row?.period) {
      this.send({ action: 'callback', id: this.id, set: { period } });
    }
  };

  private readonly key = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      this.commit();
    } else if (event.key === 'Escape') {
      this.reset();
    }
  };

  private readonly leave = () => {
    this.editing = false;
  };

  private reset(): void {
    this.editing = false;
    this.period.value = String(this.row?.period ?? '');
    this.complain('');
  }
}
