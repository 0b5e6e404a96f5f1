import * as React from 'react';
import { useSurroundings } from '../context';
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

const SHOWN_MS = 2000;

interface CopyButtonProps {
  readonly text: string;
  /** What it is that is copied. */
  readonly what: string;
}

export function CopyButton({ text, what }: CopyButtonProps) {
  const { state, trans } = useSurroundings();
  const [isDone, setDone] = React.useState(false);
  React.useEffect(() => {
    if (!isDone) {
      return undefined;
    }
    const timer = setTimeout(() => setDone(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isDone]);
  const copy = async () => {
    const isCopied = await copyText(text);
    setDone(isCopied);
    state.announce(isCopied ? trans.__('Copied.') : trans.__('The browser does not let us copy.'));
  };
  return (
    <IconButton
      icon={isDone ? 'check' : 'copy'}
      title={isDone ? trans.__('Copied') : trans.__('Copy')}
      label={trans.__('Copy: %1', what)}
      onClick={() => void copy()}
    />
  );
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Over plain HTTP, as Jupyter is often used in a local network, there is no `navigator.clipboard`. */
function copyBySelection(text: string): boolean {
  const focused = document.activeElement as HTMLElement | null;
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return isCopied;
}
