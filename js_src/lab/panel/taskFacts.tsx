import * as React from 'react';
import type { Task } from '../../shared/tasks';
import { instantWords, policyWords, scheduleWords, type Trans } from '../words';
import { Icon } from './icon';
import { useTabIndex } from './rowFocus';
import { useSurroundings } from './surroundings';

/** What a task is: when it runs, what it calls, where, and by which rules. Folded at first. */
export function TaskFacts({ task }: { readonly task: Task }) {
  const { trans, locale } = useSurroundings();
  const tabIndex = useTabIndex();
  const [isOpen, setOpen] = React.useState(false);
  const id = React.useId();
  return (
    <div className="nbsession-Facts">
      <button
        type="button"
        className="nbsession-Disclosure"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        tabIndex={tabIndex}
        onClick={() => setOpen(!isOpen)}
      >
        <Icon name="caret" />
        {trans.__('About this task')}
      </button>
      {isOpen && (
        <dl id={id}>
          {factsOf(task, trans, locale).map(([label, text]) => (
            <div key={label} className="nbsession-Facts-one">
              <dt>{label}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

function factsOf(task: Task, trans: Trans, locale: string | undefined): [string, string][] {
  const { schedule, callback, home, owner, next_run, last_run, policies } = task;
  const facts: [string, string | null][] = [
    [trans.__('Calls'), callback],
    [trans.__('When'), scheduleWords(schedule, trans, locale)],
    [trans.__('Cron'), schedule.cron ?? null],
    [trans.__('Next run'), instantWords(next_run, locale)],
    [trans.__('Last run'), instantWords(last_run, locale)],
    [trans.__('Declared in'), owner],
    [trans.__('Folder'), home?.folder ?? null],
    [trans.__('Working directory'), home && home.directory !== home.folder ? home.directory : null],
    [trans.__('Python'), home?.python ?? null],
    ...policyWords(policies, trans).map(({ label, text }): [string, string] => [label, text]),
  ];
  return facts.filter((fact): fact is [string, string] => Boolean(fact[1]));
}
