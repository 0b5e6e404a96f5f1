/**
 * Queries as text.
 *
 * `URLSearchParams` decodes and encodes again, which turns `%20` into `+` and loses bytes that are not
 * UTF-8. Whatever is not taken out here keeps its exact text and place.
 */

/** Parameters that open the Jupyter server; they never leave the page. */
export const SECRET_PARAMETERS: readonly string[] = ['token', '_xsrf'];

/** The raw query of a URL, without its `?`; '' if there is none. */
export function queryOf(url: string): string {
  return split(url).query ?? '';
}

/** A raw query (no `?`) without every parameter of these names. */
export function stripParameters(query: string, names: readonly string[]): string {
  return query
    .split('&')
    .filter((parameter) => !names.includes(nameOf(parameter)))
    .join('&');
}

/** The parameters of these names in a raw query, as they stand. */
export function pickParameters(query: string, names: readonly string[]): string[] {
  return query.split('&').filter((parameter) => names.includes(nameOf(parameter)));
}

/** A URL without every query parameter of these names; the `?` goes with the last of them. */
export function stripUrlParameters(url: string, names: readonly string[]): string {
  const { before, query, hash } = split(url);
  if (query === undefined) {
    return url;
  }
  const kept = stripParameters(query, names);
  return before + (kept || kept === query ? `?${kept}` : '') + hash;
}

function split(url: string): { before: string; query: string | undefined; hash: string } {
  const hashAt = url.indexOf('#');
  const [rest, hash] = hashAt < 0 ? [url, ''] : [url.slice(0, hashAt), url.slice(hashAt)];
  const queryAt = rest.indexOf('?');
  return queryAt < 0
    ? { before: rest, query: undefined, hash }
    : { before: rest.slice(0, queryAt), query: rest.slice(queryAt + 1), hash };
}

/** A parameter's name as a server reads it: `%74oken` is `token` too. */
function nameOf(parameter: string): string {
  const [name = ''] = parameter.split('=', 1);
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name; // Not UTF-8 or a broken escape, so it is none of the names we look for.
  }
}
