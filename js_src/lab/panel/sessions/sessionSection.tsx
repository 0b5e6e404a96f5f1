import * as React from 'react';
import type { SessionRow } from '../../model';
import { useSurroundings } from '../context';
import { WindowedList } from '../list/windowedList';
import { NoMatch, NoSessions } from '../ui/emptyStates';
import { Section } from '../ui/section';
import { useSignal } from '../ui/useSignal';
import { SessionItem } from './sessionItem';

/** Of a session with a callback, in px. */
const ROW_HEIGHT = 84;

/** The kernels with nbsession. */
export function SessionSection() {
  const { model, state, trans } = useSurroundings();
  const { sessions } = model;
  const rows = useSignal(sessions.changed, () => sessions.visible);
  const isWritable = useSignal(sessions.changed, () => sessions.writable);
  const isLoaded = useSignal(sessions.changed, () => sessions.loaded);
  const { text, state: wanted } = useSignal(sessions.changed, () => sessions.filter);
  const target = useSignal(state.changed, () => state.target('sessions'));
  const [height, setHeight] = React.useState<number | null>(null);
  const isList = rows.length > 0;
  return (
    <Section
      name="sessions"
      title={trans.__('Sessions')}
      count={isLoaded ? String(rows.length) : ''}
      height={isList ? height : null}
    >
      {isList && (
        <WindowedList
          label={trans.__('Sessions')}
          items={rows}
          keyOf={keyOf}
          estimate={ROW_HEIGHT}
          onHeight={setHeight}
          target={target}
          onTargetShown={() => state.dropTarget('sessions')}
          render={(row) => <SessionItem row={row} isWritable={isWritable} />}
        />
      )}
      {!isList && isLoaded && (text === '' && wanted === 'all' ? <NoSessions /> : <NoMatch />)}
    </Section>
  );
}

const keyOf = ({ key }: SessionRow) => key;
