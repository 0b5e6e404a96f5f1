/**
 * Queries as text.
 *
 * `URLSearchParams` decodes and encodes again, which turns `%20` into `+` and loses bytes that are not
 * UTF-8. Whatever is not taken out here keeps its exact text and place.
 */

/** Parameters of a query: by their names, or by a test of each as it stands. */
export type Parameters = readonly string[] | ((parameter: string) => boolean);

const SECRET = /(?:^|[?&;#=])(?:token|_xsrf)(?:\[[^\]]*\])?=/i;
/** How often a URL within a URL may be encoded; nobody encodes more often without an intention. */
const MAX_DEPTH = 8;

/**
 * Whether a parameter opens the Jupyter server, itself or in a URL within it, however often that is
 * encoded. Such parameters never leave the page.
 */
export function isSecret(parameter: string): boolean {
  let text = parameter.includes('=') ? parameter : `${parameter}=`;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (SECRET.test(text)) {
      return true;
    }
    const decoded = text.replace(/(?:%[0-9a-f]{2})+/gi, decode).replaceAll('+', ' ');
    if (decoded === text) {
      return false;
    }
    text = decoded;
  }
  return true;
}

/** The raw query of a URL, without its `?`; '' if there is none. */
export function queryOf(url: string): string {
  return split(url).query ?? '';
}

/** A raw query (no `?`) without these parameters. */
export function stripParameters(query: string, parameters: Parameters): string {
  return query
    .split('&')
    .filter((parameter) => !isOneOf(parameter, parameters))
    .join('&');
}

/** Those of these parameters that are in a raw query, as they stand. */
export function pickParameters(query: string, parameters: Parameters): string[] {
  return query.split('&').filter((parameter) => isOneOf(parameter, parameters));
}

/** A URL without these query parameters; the `?` goes with the last of them. */
export function stripUrlParameters(url: string, parameters: Parameters): string {
  const { before, query, hash } = split(url);
  if (query === undefined) {
    return url;
  }
  const kept = stripParameters(query, parameters);
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

function isOneOf(parameter: string, parameters: Parameters): boolean {
  return typeof parameters === 'function'
    ? parameters(parameter)
    : parameters.includes(nameOf(parameter));
}

/** A parameter's name as a server reads it: `%74oken` is `token` too. */
function nameOf(parameter: string): string {
  const [name = ''] = parameter.split('=', 1);
  return decode(name.replaceAll('+', ' '));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Not UTF-8 or a broken escape, so it is none of the names we look for.
  }
}
