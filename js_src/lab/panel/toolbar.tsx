import * as React from 'react';
import { stateWords, type Trans } from '../format';
import type { StateFilter, TaskOrder } from '../model';
import { useSurroundings } from './context';
import { Icon } from './ui/icon';
import { useSignal } from './ui/useSignal';

const STATES: readonly StateFilter[] = [
  'all',
  'running',
  'failed',
  'scheduled',
  'paused',
  'finished',
];
const ORDERS: readonly TaskOrder[] = ['name', 'next', 'errors'];

/** What is shown, and in what order. */
export function Toolbar() {
  const { model, state: panel, trans } = useSurroundings();
  const { tasks } = model;
  const text = useSignal(tasks.changed, () => tasks.text);
  const state = useSignal(tasks.changed, () => tasks.state);
  const order = useSignal(tasks.changed, () => tasks.order);
  const hasSessions = useSignal(panel.changed, () => panel.showSessions);
  const counts = useSignal(model.changed, () => (hasSessions ? model.counts : tasks.counts));
  const search = (words: string) => model.filter({ text: words, state });
  return (
    <search className="nbsession-Toolbar" aria-label={trans.__('Filter and order')}>
      <div className="nbsession-Toolbar-search">
        <Icon name="search" />
        <input
          type="search"
          value={text}
          placeholder={trans.__('Filter by name')}
          aria-label={trans.__('Filter tasks and sessions by name')}
          spellCheck={false}
          onChange={(event) => search(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && text !== '') {
              event.stopPropagation();
              search('');
            }
          }}
        />
      </div>
      <Choice
        label={trans.__('State of tasks')}
        value={state}
        options={STATES.map((each) => [each, `${filterWords(each, trans)} (${counts[each]})`])}
        onChoose={(value) => model.filter({ text, state: value })}
      />
      <Choice
        label={trans.__('Order of tasks')}
        value={order}
        options={ORDERS.map((each) => [each, orderWords(each, trans)])}
        onChoose={(value) => {
          tasks.order = value;
        }}
      />
    </search>
  );
}

interface ChoiceProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [Value, string])[];
  readonly onChoose: (value: Value) => void;
}

function Choice<Value extends string>({ label, value, options, onChoose }: ChoiceProps<Value>) {
  const choose = (event: React.ChangeEvent<HTMLSelectElement>) =>
    onChoose(event.target.value as Value);
  return (
    <span className="nbsession-Choice">
      <select value={value} title={label} aria-label={label} onChange={choose}>
        {options.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
      <Icon name="caret" />
    </span>
  );
}

function filterWords(state: StateFilter, trans: Trans): string {
  const words = state === 'all' ? trans.__('all') : stateWords(state, trans);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function orderWords(order: TaskOrder, trans: Trans): string {
  switch (order) {
    case 'name':
      return trans.__('By name');
    case 'next':
      return trans.__('Next run first');
    case 'errors':
      return trans.__('Errors first');
  }
}
