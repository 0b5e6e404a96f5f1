import * as React from 'react';
import type { Task } from '../../../shared/rest';
import { gapWords, instantWords, policyWords, scheduleWords, type Trans } from '../../format';
import type { TaskRow } from '../../model';
import { useSurroundings } from '../context';
import { Runs } from '../runs/runs';
import { Icon } from '../ui/icon';
import { LastError, Notice } from '../ui/notice';
import { useTabIndex } from '../ui/rowFocus';

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
  const { schedule, callback, home, owner, next_run, last_run, gap, policies } = task;
  const facts: [string, string | null][] = [
    [trans.__('Calls'), callback],
    [trans.__('When'), scheduleWords(schedule, trans, locale)],
    [trans.__('Cron'), schedule.cron ?? null],
    [trans.__('Next run'), instantWords(next_run, locale)],
    [trans.__('Last run'), instantWords(last_run, locale)],
    [trans.__('Since then'), gap ? gapWords(gap, trans, locale) : null],
    [trans.__('Declared in'), owner],
    [trans.__('Folder'), home?.folder ?? null],
    [trans.__('Working directory'), home && home.directory !== home.folder ? home.directory : null],
    [trans.__('Python'), home?.python ?? null],
    ...policyWords(policies, trans).map(({ label, text }): [string, string] => [label, text]),
  ];
  return facts.filter((fact): fact is [string, string] => Boolean(fact[1]));
}

/** What a task is, and what became of its runs. */
export function TaskDetails({ row: { key, task } }: { readonly row: TaskRow }) {
  const { trans } = useSurroundings();
  const isGlobal = task.kernel_id === null;
  const error = task.last_error === task.ended_by ? null : task.last_error;
  return (
    <>
      {task.ended_by !== null && (
        <Notice
          kind="error"
          text={trans.__('The code of its schedule has ended it: %1', task.ended_by)}
        />
      )}
      {!isGlobal && error !== null && <LastError error={error} />}
      {!task.editable && (
        <Notice
          kind="info"
          text={trans.__('Another server runs it: this one has not its setup script or folder.')}
        />
      )}
      {isGlobal && <Runs taskKey={key} name={task.name} lastError={error} />}
      {!isGlobal && (
        <p className="nbsession-muted">
          {trans.__('Runs in this kernel and ends with it. What it prints is at the cell.')}
        </p>
      )}
      <TaskFacts task={task} />
    </>
  );
}
