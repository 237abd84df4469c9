/** Fields of a CSV file (RFC 4180) that people will open in a spreadsheet. null: empty. */

/** A spreadsheet would take text that begins like this for a formula, and run it. */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
const NUMBER = /^-?[0-9]+(\.[0-9]+)?$/;
const NEEDS_QUOTES = /[",\r\n]/;

/** Text; an apostrophe before what looks like a formula makes it text. */
export function csvText(text: string | null): string {
  if (text === null) return '';
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** An amount, or an id: a negative number is no formula. */
export function csvNumber(text: string | null): string {
  return text !== null && NUMBER.test(text) ? text : csvText(text);
}
