import * as React from 'react';
import { hasFailed, type TaskRow } from '../model';
import { NoMatch, NoTasks } from './emptyStates';
import { Section } from './section';
import { useSurroundings } from './surroundings';
import { TaskItem } from './taskItem';
import { useSignal } from './useSignal';
import { WindowedList } from './windowedList';

/** Of a closed row, in px. */
const ROW_HEIGHT = 67;

/** The tasks of the server. */
export function TaskSection() {
  const { model, state, trans } = useSurroundings();
  const { tasks } = model;
  const rows = useSignal(tasks.changed, () => tasks.visible);
  const all = useSignal(tasks.changed, () => tasks.all);
  const isWritable = useSignal(tasks.changed, () => tasks.writable);
  const isLoaded = useSignal(tasks.changed, () => tasks.loaded);
  const target = useSignal(state.changed, () => state.target('tasks'));
  const [height, setHeight] = React.useState<number | null>(null);
  const failed = all.filter(({ task }) => hasFailed(task)).length;
  const count = failed ? trans.__('%1, %2 failed', all.length, failed) : trans.__('%1', all.length);
  const isList = rows.length > 0;
  return (
    <Section
      name="tasks"
      title={trans.__('Tasks')}
      count={isLoaded ? count : ''}
      height={isList ? height : null}
    >
      {isList && (
        <WindowedList
          label={trans.__('Tasks')}
          items={rows}
          keyOf={keyOf}
          estimate={ROW_HEIGHT}
          onHeight={setHeight}
          target={target}
          onTargetShown={() => state.dropTarget('tasks')}
          render={(row) => <TaskItem row={row} isWritable={isWritable} />}
        />
      )}
      {!isList && isLoaded && (all.length === 0 ? <NoTasks /> : <NoMatch />)}
    </Section>
  );
}

const keyOf = ({ key }: TaskRow) => key;
