/** How long the panel may take to find its layout: rows are measured, and lists share its height. */
const SETTLED_MS = 1000;

const USER_EVENTS = ['wheel', 'pointerdown', 'keydown'];

/** Scrolls an element into sight and keeps it there until the layout is settled or the user acts. */
export function showElement(element: HTMLElement): void {
  const ended = new AbortController();
  const { signal } = ended;
  for (const event of USER_EVENTS) {
    window.addEventListener(event, () => ended.abort(), { signal, capture: true, passive: true });
  }
  setTimeout(() => ended.abort(), SETTLED_MS);
  const show = () => {
    if (!signal.aborted) {
      element.scrollIntoView({ block: 'nearest' });
      requestAnimationFrame(show);
    }
  };
  show();
}
