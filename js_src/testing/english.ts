import type { Trans } from '../lab/format/trans';

/** What JupyterLab's bundle does without a language pack. For tests. */
export const english: Trans = {
  __: (text, ...args) => filled(text, args),
  _n: (singular, plural, count, ...args) =>
    filled(count === 1 ? singular : plural, [count, ...args]),
};

function filled(text: string, args: readonly unknown[]): string {
  return text.replace(/%(\d+)/g, (_, place) => String(args[Number(place) - 1]));
}
