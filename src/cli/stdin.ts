import { createInterface } from 'node:readline';

/** What stands for stdin among the ids. */
const STDIN = '-';

/** Reads ids from stdin where one of them is `-`: one a line; blank lines are none. */
export async function withStdin(ids: readonly string[]): Promise<string[]> {
  if (!ids.includes(STDIN)) return [...ids];
  const read: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const id = line.trim();
    if (id !== '') read.push(id);
  }
  return [...ids.filter((id) => id !== STDIN), ...read];
}
