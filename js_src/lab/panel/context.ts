import * as React from 'react';
import type { Trans } from '../format';
import type { SidebarModel } from '../model';
import type { PanelState } from './panelState';

/** What every view of the panel needs. */
export interface Surroundings {
  readonly model: SidebarModel;
  readonly state: PanelState;
  readonly trans: Trans;
  /** As browsers name it; undefined for the browser's own. */
  readonly locale: string | undefined;
  openNotebook(path: string): void;
}

const SurroundingsContext = React.createContext<Surroundings | null>(null);

export const SurroundingsProvider = SurroundingsContext.Provider;

export function useSurroundings(): Surroundings {
  const surroundings = React.useContext(SurroundingsContext);
  if (!surroundings) {
    throw new Error('A view of the panel was made outside of it.');
  }
  return surroundings;
}
