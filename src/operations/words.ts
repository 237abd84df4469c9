/** Numbers and times as people read them. Text out. */

const DECIMAL = /^(-?)([0-9]+)(\.[0-9]+)?$/;

/** `-1,234,567.5`; what is no number stays as it is. */
export function grouped(text: string): string {
  const [, sign = '', whole, fraction = ''] = DECIMAL.exec(text) ?? [];
  if (whole === undefined) return text;
  return sign + whole.replace(/\B(?=([0-9]{3})+$)/g, ',') + fraction;
}

/** `1 wallet`, `1,234 wallets`. */
export function count(number: number, of: string): string {
  return `${grouped(String(number))} ${of}${number === 1 ? '' : 's'}`;
}

/** `once`, `1,234 times`. */
export function times(number: number): string {
  return number === 1 ? 'once' : count(number, 'time');
}

/** `1,250 coins`. */
export function coinsWords(coins: string): string {
  return `${grouped(coins)} ${coins === '1' || coins === '-1' ? 'coin' : 'coins'}`;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** A span of seconds in its largest unit that counts two at least: `90 seconds`, `26 hours`, `3 days`. */
export function ageWords(seconds: number): string {
  for (const [name, size] of UNITS) {
    if (seconds >= 2 * size) return count(Math.floor(seconds / size), name);
  }
  return count(Math.floor(seconds), 'second');
}

/** `2026-01-31 03:00:12 UTC`. */
export function instantWords(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** `99.2 %`, cut and not rounded: a hundred per cent is all of it. */
export function percent(ratio: number): string {
  const cut = Math.floor(ratio * 1000 + 1e-9) / 10;
  return `${cut.toFixed(Number.isInteger(cut) ? 0 : 1)} %`;
}

/** As a shell takes it for one word. */
export function shellWord(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
