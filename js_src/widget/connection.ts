import type { KernelMessage, PageMessage } from '../shared/wire';
import { type Browser, type PageTransition, pageId, pageInfo, pageLocation } from './browser';

/** The part of anywidget's model that we use. */
export interface PageModel {
  send(message: PageMessage): void;
  on(event: 'msg:custom', callback: (message: KernelMessage) => void): void;
  off(event: 'msg:custom', callback: (message: KernelMessage) => void): void;
}

/** Reports this page to the kernel; returns what ends the reports. */
export function connect(model: PageModel, browser: Browser): () => void {
  const page = pageId(browser);

  const hello = () =>
    model.send({ kind: 'hello', page, info: pageInfo(browser), location: pageLocation(browser) });
  const answer = (message: KernelMessage) => {
    if (message.kind === 'ping') {
      hello();
    }
  };
  const hide = () => model.send({ kind: 'goodbye', page });
  const show = ({ persisted }: PageTransition) => {
    if (persisted) {
      hello(); // Back from the browser's page cache, after a goodbye.
    }
  };

  model.on('msg:custom', answer);
  browser.addEventListener('pagehide', hide);
  browser.addEventListener('pageshow', show);
  hello();
  return () => {
    model.off('msg:custom', answer);
    browser.removeEventListener('pagehide', hide);
    browser.removeEventListener('pageshow', show);
  };
}
