import * as React from 'react';
import { Icon, type IconName } from './icon';
import { IconButton } from './iconButton';
import { useSurroundings } from './surroundings';

interface NoticeProps {
  readonly kind: 'error' | 'warning' | 'info';
  readonly text: string;
  readonly onDismiss?: () => void;
  /** A button, perhaps. */
  readonly children?: React.ReactNode;
}

const ICONS: Record<NoticeProps['kind'], IconName> = {
  error: 'failed',
  warning: 'warning',
  info: 'info',
};

/** Something that should be known, where it belongs. Silent: what is announced is announced elsewhere. */
export function Notice({ kind, text, onDismiss, children }: NoticeProps) {
  const { trans } = useSurroundings();
  return (
    <div className="nbsession-Notice" data-kind={kind}>
      <Icon name={ICONS[kind]} />
      <span className="nbsession-Notice-text">
        {text}
        {children}
      </span>
      {onDismiss && (
        <IconButton
          icon="cancel"
          title={trans.__('Dismiss')}
          label={trans.__('Dismiss: %1', text)}
          onClick={onDismiss}
        />
      )}
    </div>
  );
}
