/** What is needed of JupyterLab's TranslationBundle: `%1` stands for the first argument. */
export interface Trans {
  __(text: string, ...args: unknown[]): string;
  /** The count is `%1`. */
  _n(singular: string, plural: string, count: number, ...args: unknown[]): string;
}

/** JupyterLab's language (`de_DE`) as browsers name it; undefined, the browser's own, for any other. */
export function localeOf(languageCode: string | undefined): string | undefined {
  try {
    return Intl.getCanonicalLocales((languageCode ?? '').replaceAll('_', '-'))[0];
  } catch {
    return undefined; // `default`, and what is no language.
  }
}
