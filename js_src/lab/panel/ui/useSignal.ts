import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/**
 * What a model says now, and whenever it has changed.
 *
 * @param read - Has to return the same value as long as nothing has changed.
 */
export function useSignal<Value>(signal: ISignal<unknown, unknown>, read: () => Value): Value {
  const subscribe = React.useCallback(
    (onChange: () => void) => {
      signal.connect(onChange);
      return () => {
        signal.disconnect(onChange);
      };
    },
    [signal],
  );
  return React.useSyncExternalStore(subscribe, read);
}
