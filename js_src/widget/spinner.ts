/** The ring that turns while the kernel is busy. */
import { Announcement } from './announcement';

export interface Spinner {
  readonly element: HTMLElement;
  show(busy: boolean, label: string): void;
  stop(): void;
}

export function createSpinner(): Spinner {
  const element = document.createElement('span');
  element.className = 'nbsession-busy';
  element.dataset.busy = 'false';
  const ring = document.createElement('span');
  ring.className = 'nbsession-busy-ring';
  ring.setAttribute('aria-hidden', 'true');
  const words = document.createElement('span');
  words.className = 'nbsession-busy-words';
  words.setAttribute('role', 'status');
  element.append(ring, words);

  const announcement = new Announcement((text) => {
    words.textContent = text;
  });
  return {
    element,
    show: (busy, label) => {
      const text = [label, busy ? 'busy' : 'idle'].filter((part) => part !== '').join(': ');
      if (element.title !== text) {
        element.dataset.busy = String(busy);
        element.title = text;
        announcement.set(text);
      }
    },
    stop: () => announcement.stop(),
  };
}
