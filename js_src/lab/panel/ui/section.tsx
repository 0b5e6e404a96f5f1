import * as React from 'react';
import { useSurroundings } from '../context';
import type { SectionName } from '../panelState';
import { Icon } from './icon';
import { useSignal } from './useSignal';

interface SectionProps {
  readonly name: SectionName;
  readonly title: string;
  /** Beside the title: how many there are. */
  readonly count: string;
  /** How high the list is, in px: a short one leaves its room to the other section; null if unknown. */
  readonly height: number | null;
  readonly children: React.ReactNode;
}

/** A part of the panel that can be folded away. */
export function Section({ name, title, count, height, children }: SectionProps) {
  const { state } = useSurroundings();
  const isOpen = useSignal(state.changed, () => state.isSectionOpen(name));
  const id = React.useId();
  const style = height === null ? {} : { '--nbsession-list-height': `${Math.ceil(height)}px` };
  return (
    <section
      className={`nbsession-Section nbsession-Section-${name}`}
      data-open={isOpen}
      data-sized={height !== null}
      aria-labelledby={`${id}-title`}
      style={style as React.CSSProperties}
    >
      <h2 className="nbsession-Section-header">
        <button
          type="button"
          aria-expanded={isOpen}
          aria-controls={`${id}-body`}
          onClick={() => state.toggleSection(name)}
        >
          <Icon name="caret" />
          <span id={`${id}-title`}>{title}</span>
          <span className="nbsession-Section-count">{count}</span>
        </button>
      </h2>
      <div id={`${id}-body`} className="nbsession-Section-body" hidden={!isOpen}>
        {isOpen && children}
      </div>
    </section>
  );
}
