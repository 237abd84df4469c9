import { InvalidArgumentError, type Command } from 'commander';
import type { TrueupOptions } from '../index.js';

/** The options that every command has. */
export interface CommonOptions {
  readonly config?: string;
  readonly databaseUrl?: string;
}

/** Adds them to a command. */
export function withCommonOptions(command: Command): Command {
  return command
    .option(
      '--config <file>',
      'the mapping file (default: trueup.config.json, else own tables)',
      fileName,
    )
    .option('--database-url <url>', 'PostgreSQL 15 to 18 (default: DATABASE_URL, else embedded)');
}

export function toTrueupOptions(options: CommonOptions): TrueupOptions {
  return { config: options.config, databaseUrl: options.databaseUrl };
}

/** Reads the name of a file: an empty one comes from a variable that is not set, and means no file. */
export function fileName(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It is empty: give the name of a file.');
}

/** Reads a whole number from 1 up. */
export function positiveInteger(text: string): number {
  return positiveIntegerTo(Number.MAX_SAFE_INTEGER)(text);
}

/** Reads a whole number from 1 to the highest that is allowed. */
export function positiveIntegerTo(highest: number): (text: string) => number {
  const bound = highest === Number.MAX_SAFE_INTEGER ? '' : `, and at most ${String(highest)}`;
  return (text) => {
    const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= 1 && value <= highest) return value;
    throw new InvalidArgumentError(`Give a whole number from 1 up${bound}.`);
  };
}

/** Reads a whole number from 0 up. */
export function wholeNumber(text: string): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('Give a whole number from 0 up.');
}

/** Collects the values of an option that may be repeated. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** Writes one line of results. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line that is not a result. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
