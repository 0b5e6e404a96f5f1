/** The ring that turns while the kernel is busy. */

/** What a screen reader is told: only what lasts, so that quick callbacks do not talk all day. */
export const LASTING_MS = 1000;

export interface Timers {
  set(callback: () => void, ms: number): number;
  clear(timer: number): void;
}

const WINDOW_TIMERS: Timers = {
  set: (callback, ms) => window.setTimeout(callback, ms),
  clear: (timer) => window.clearTimeout(timer),
};

/** Tells `say` of a text once it has stood for a second. */
export class Announcement {
  private said = '';
  private wanted = '';
  private timer: number | undefined;

  constructor(
    private readonly say: (text: string) => void,
    private readonly timers: Timers = WINDOW_TIMERS,
  ) {}

  set(text: string): void {
    if (text === this.wanted) {
      return;
    }
    this.wanted = text;
    this.stop();
    if (text !== this.said) {
      this.timer = this.timers.set(() => {
        this.said = text;
        this.say(text);
      }, LASTING_MS);
    }
  }

  stop(): void {
    if (this.timer !== undefined) {
      this.timers.clear(this.timer);
      this.timer = undefined;
    }
  }
}

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
