/** How much a name looks like a part: words, not letters, so that spelling styles do not matter. */

/** The words of a part: phrases that speak for it, with points from 1 to 10, and words that rule it out. */
export interface Vocabulary {
  readonly good: readonly (readonly [phrase: string, points: number])[];
  readonly never: readonly string[];
}

/**
 * The words of a name, in singular and lower case: `cached_balance`, `cachedBalances` and
 * `Cached Balance` are the same two words.
 */
export function wordsOf(name: string): string[] {
  return name
    .replaceAll(/(\p{Ll}|\p{N})(\p{Lu})/gu, '$1 $2')
    .replaceAll(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map(singular);
}

function singular(word: string): string {
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  return word.length > 3 && word.endsWith('s') && !/(ss|us|is)$/.test(word)
    ? word.slice(0, -1)
    : word;
}

/** A phrase of so many letters is also found inside of words that are written together. */
const LONG_PHRASE = 6;

/** Shorter words that rule a name out count only where they stand alone. */
const LONG_WORD = 6;

/**
 * How much the words of a name look like a part: the points of its best phrase, less one for every word beside it,
 * and less two where the phrase is only found inside of a longer word. 0: not at all.
 */
export function likeness(words: readonly string[], { good, never }: Vocabulary): number {
  const squeezed = words.join('');
  const ruledOut = never.some(
    (word) => words.includes(word) || (word.length >= LONG_WORD && squeezed.includes(word)),
  );
  if (ruledOut) return 0;
  let best = 0;
  for (const [phrase, points] of good) {
    best = Math.max(best, pointsOf(phrase.split(' '), points, words, squeezed));
  }
  return best;
}

function pointsOf(
  phrase: readonly string[],
  points: number,
  words: readonly string[],
  squeezed: string,
): number {
  if (phrase.every((word) => words.includes(word))) {
    return Math.max(points - (words.length - phrase.length), 1);
  }
  const together = phrase.join('');
  if (squeezed === together || singular(squeezed) === together) return points;
  return together.length >= LONG_PHRASE && squeezed.includes(together)
    ? Math.max(points - 2, 1)
    : 0;
}
