/** The words of a filter, in lower case. */
export function wordsOf(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** True if each of the words is in one of the texts; these are asked for only if there are words. */
export function hasWords(words: readonly string[], texts: () => readonly string[]): boolean {
  if (words.length === 0) {
    return true;
  }
  const searched = texts().join('\n').toLowerCase();
  return words.every((word) => searched.includes(word));
}
