import * as React from 'react';
import { Icon, type IconName } from './icon';
import { useTabIndex } from './rowFocus';

interface IconButtonProps {
  readonly icon: IconName;
  /** Seen by hovering: what it does. */
  readonly title: string;
  /** Heard: what it does, and to what. */
  readonly label: string;
  readonly onClick: () => void;
  /** Stays in the focus order, as it may be the very button that has the focus. */
  readonly busy?: boolean;
}

export function IconButton({ icon, title, label, onClick, busy }: IconButtonProps) {
  const tabIndex = useTabIndex();
  return (
    <button
      type="button"
      className="nbsession-IconButton"
      title={title}
      aria-label={label}
      aria-disabled={busy || undefined}
      tabIndex={tabIndex}
      onClick={() => {
        if (!busy) {
          onClick();
        }
      }}
    >
      <Icon name={icon} />
    </button>
  );
}
