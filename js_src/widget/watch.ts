import { type Browser, DARK_QUERY, type Events, THEME_ATTRIBUTE } from './browser';

/** How often the URL is looked at where the browser does not tell of every change. */
export const POLL_MS = 1000;

/** Calls back when the URL may have changed; returns what ends it. */
export function watchLocation(browser: Browser, changed: () => void): () => void {
  if (browser.navigation) {
    return listen(browser.navigation, ['currententrychange'], changed);
  }
  const unlisten = listen(browser, ['popstate', 'hashchange'], changed);
  const timer = browser.setInterval(changed, POLL_MS); // pushState by other code fires nothing.
  return () => {
    unlisten();
    browser.clearInterval(timer);
  };
}

/** Calls back when title, theme or visibility may have changed; returns what ends it. */
export function watchDocument(browser: Browser, changed: () => void): () => void {
  const { document } = browser;
  const observer = new browser.MutationObserver(changed);
  const title = document.querySelector('title');
  if (title) {
    observer.observe(title, { childList: true, characterData: true, subtree: true });
  }
  observer.observe(document.body, { attributes: true, attributeFilter: [THEME_ATTRIBUTE] });
  const unlisten = listen(document, ['visibilitychange'], changed);
  const unlistenScheme = listen(browser.matchMedia(DARK_QUERY), ['change'], changed);
  return () => {
    observer.disconnect();
    unlisten();
    unlistenScheme();
  };
}

/** Calls back when the user turns to this page; returns what ends it. */
export function watchFocus(browser: Browser, focused: () => void): () => void {
  return listen(browser, ['focus'], focused);
}

function listen(target: Events, types: readonly string[], listener: () => void): () => void {
  for (const type of types) {
    target.addEventListener(type, listener);
  }
  return () => {
    for (const type of types) {
      target.removeEventListener(type, listener);
    }
  };
}
