import * as React from 'react';
import type { TaskRow } from '../../model';
import { useSurroundings } from '../context';
import { WindowedList } from '../list/windowedList';
import { NoMatch, NoTasks } from '../ui/emptyStates';
import { Section } from '../ui/section';
import { useSignal } from '../ui/useSignal';
import { TaskItem } from './taskItem';

/** Of a closed row, in px. */
const ROW_HEIGHT = 67;

/** The tasks of the server. */
export function TaskSection() {
  const { model, state, trans } = useSurroundings();
  const { tasks } = model;
  const rows = useSignal(tasks.changed, () => tasks.visible);
  const { all, failed } = useSignal(tasks.changed, () => tasks.counts);
  const isWritable = useSignal(tasks.changed, () => tasks.writable);
  const isLoaded = useSignal(tasks.changed, () => tasks.loaded);
  const target = useSignal(state.changed, () => state.target('tasks'));
  const [height, setHeight] = React.useState<number | null>(null);
  const count = failed ? trans.__('%1, %2 failed', all, failed) : trans.__('%1', all);
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
      {!isList && isLoaded && (all === 0 ? <NoTasks /> : <NoMatch />)}
    </Section>
  );
}

const keyOf = ({ key }: TaskRow) => key;
