/**
 * An array as PostgreSQL reads it from text. Numbers are joined as they are; anything else is quoted.
 * (The driver's own conversion looks at every element twice, which took a tenth of a large batch.)
 */
export function arrayOf(values: readonly (string | bigint | number | null)[]): string {
  let text = '{';
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (index > 0) text += ',';
    text += value === null || value === undefined ? 'NULL' : element(value);
  }
  return `${text}}`;
}

const PLAIN = /^[0-9a-z_:-]+$/;

function element(value: string | bigint | number): string {
  if (typeof value !== 'string') return value.toString();
  if (PLAIN.test(value) && value !== 'null') return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
