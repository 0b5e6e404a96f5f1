import { isSecret, pickParameters, queryOf } from '../shared/query';
import type { LocationParts } from '../shared/wire';

/**
 * The URL that a page's URL becomes with these parts; null if it would leave this site.
 *
 * The setters of `URL` change one part each, and none of them can change the scheme or the host. The
 * parameters that the kernel never sees (`token`) stay: without them a reload would ask for a login.
 */
export function targetUrl(href: string, parts: LocationParts): string | null {
  const { pathname, search, hash } = parts;
  if (![pathname, search, hash].every((part) => part === undefined || typeof part === 'string')) {
    return null;
  }
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return null;
  }
  const { origin } = url;
  if (pathname !== undefined) {
    if (!pathname.startsWith('/')) {
      return null;
    }
    url.pathname = pathname;
    if (url.pathname.startsWith('//')) {
      return null; // Whoever takes only the path of this would read a host.
    }
  }
  if (search !== undefined) {
    url.search = withSecrets(search, href);
  }
  if (hash !== undefined) {
    url.hash = hash;
  }
  return url.origin === origin ? url.href : null;
}

/** True if loading one URL in the other's place would load nothing: only the hash differs. */
export function isSameDocument(a: string, b: string): boolean {
  return withoutHash(a) === withoutHash(b);
}

function withSecrets(search: string, href: string): string {
  const secrets = pickParameters(queryOf(href), isSecret);
  const said = pickParameters(queryOf(search), isSecret);
  if (secrets.length === 0 || said.length > 0) {
    return search;
  }
  return search === '' || search === '?'
    ? `?${secrets.join('&')}`
    : `${search}&${secrets.join('&')}`;
}

function withoutHash(url: string): string {
  return url.split('#', 1)[0] ?? '';
}
