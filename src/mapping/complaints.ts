import type { z } from 'zod';

/** What is wrong with a mapping file, in words: the place, what is expected there, and what is there. */
export function complaints(error: z.ZodError): string {
  return error.issues.map((issue) => complaint(issue, issue.path.map(String))).join('; ');
}

function complaint(issue: z.core.$ZodIssue, path: readonly string[]): string {
  const place = path.length === 0 ? 'it' : path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => [...path, key].join('.'));
    return `${names.join(', ')} is not known`;
  }
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return `${place} is missing`;
    return `${place}: ${expected(issue.expected, path)} is expected, not ${described(issue.input)}`;
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ');
    return `${place}: one of ${values} is expected, not ${described(issue.input)}`;
  }
  if (issue.code === 'invalid_key') return `${path.slice(0, -1).join('.')}: a name is empty`;
  if (issue.code === 'too_small') {
    return `${place}: ${expected('string', path)} is expected, and it is empty`;
  }
  return `${place}: ${issue.message}`;
}

/** What belongs to a place of the file. */
function expected(type: string, path: readonly string[]): string {
  if (type === 'boolean') return 'true or false';
  const [part, key] = path;
  if (part === undefined) return 'an object with the parts ledger and wallet';
  if (type === 'array') return 'a list of names';
  if (part === 'reasons') return REASONS[path.length] ?? 'a name, as text,';
  if (key === undefined) return 'an object that names a table and its columns';
  if (key === 'table') return 'the name of a table, as text,';
  if (key === 'source') return 'a text';
  return 'the name of a column, as text,';
}

/** By the depth of the place. */
const REASONS: Readonly<Record<number, string>> = {
  1: 'an object that has a reason under each name',
  2: 'an object with earns, allows or actors',
};

function described(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `the text ${JSON.stringify(value)}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `the number ${String(value)}`;
  if (typeof value === 'boolean') return String(value);
  return `a ${typeof value}`;
}
