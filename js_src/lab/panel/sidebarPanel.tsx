import * as React from 'react';
import type { Trans } from '../format';
import type { SidebarModel } from '../model';
import { Banner } from './banner';
import { SurroundingsProvider } from './context';
import type { PanelState } from './panelState';
import { SessionSection } from './sessions/sessionSection';
import { TaskSection } from './tasks/taskSection';
import { Toolbar } from './toolbar';
import { useSignal } from './ui/useSignal';

export interface SidebarPanelProps {
  readonly model: SidebarModel;
  /** Made once for each model: it outlives the views. */
  readonly state: PanelState;
  readonly trans: Trans;
  /** As browsers name it; undefined for the browser's own. */
  readonly locale?: string | undefined;
  /** @param path - Of the notebook, as Jupyter names it. */
  readonly openNotebook: (path: string) => void;
}

/** All of the panel. It fills the element that it is put into. */
export function SidebarPanel({ model, state, trans, locale, openNotebook }: SidebarPanelProps) {
  const surroundings = React.useMemo(
    () => ({ model, state, trans, locale, openNotebook }),
    [model, state, trans, locale, openNotebook],
  );
  const hasSessions = useSignal(state.changed, () => state.showSessions);
  const hasTasks = useSignal(model.tasks.changed, () => model.tasks.all.length > 0);
  const isLoaded = useSignal(model.tasks.changed, () => model.tasks.loaded);
  const sessionCount = useSignal(model.sessions.changed, () => model.sessions.all.length);
  const root = React.useRef<HTMLDivElement>(null);
  useWatch(root, model);
  return (
    <SurroundingsProvider value={surroundings}>
      <div className="nbsession-Sidebar" ref={root}>
        <Banner />
        {(hasTasks || sessionCount > 0) && <Toolbar />}
        {isLoaded && (
          <>
            <TaskSection />
            {hasSessions && <SessionSection />}
          </>
        )}
        <Announcer state={state} />
      </div>
    </SurroundingsProvider>
  );
}

/** Tells the model whether anybody can see the panel. */
function useWatch(root: React.RefObject<HTMLElement>, { feed }: SidebarModel): void {
  React.useEffect(() => {
    const element = root.current;
    if (!element) {
      return undefined;
    }
    let unwatch: (() => void) | null = null;
    const observer = new ResizeObserver(() => {
      if (element.clientHeight > 0) {
        unwatch ??= feed.watch();
      } else {
        unwatch?.();
        unwatch = null;
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      unwatch?.();
    };
  }, [root, feed]);
}

/** The one live region: it says what came of the user's own actions. */
function Announcer({ state }: { readonly state: PanelState }) {
  const text = useSignal(state.changed, () => state.announcement);
  return (
    <div className="nbsession-hidden" role="status" aria-live="polite">
      {text}
    </div>
  );
}
