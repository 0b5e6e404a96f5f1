import * as React from 'react';
import { useSurroundings } from '../context';
import { IconButton } from './buttons';
import { Icon, type IconName } from './icon';

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

/** The last error of a task, where no run shows it. */
export function LastError({ error }: { readonly error: string }) {
  const { trans } = useSurroundings();
  return <Notice kind="error" text={trans.__('Last error: %1', error)} />;
}
