import * as React from 'react';
import { Notice } from './notice';
import { useSurroundings } from './surroundings';

/** The last error of a task, where no run shows it. */
export function LastError({ error }: { readonly error: string }) {
  const { trans } = useSurroundings();
  return <Notice kind="error" text={trans.__('Last error: %1', error)} />;
}
