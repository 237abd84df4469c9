import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** How a command talks with a person. Tests bring streams of their own. */
export interface Dialog {
  /** Somebody sits there who can answer. */
  readonly interactive: boolean;
  readonly input: Readable;
  /** Where questions go: not to stdout, which carries results. */
  readonly output: Writable;
  /** One line of results. */
  print(line: string): void;
  /** One line that is not a result. */
  say(line: string): void;
}

/** The dialog of the real program: a person answers where stdin and stderr are a terminal. */
export function processDialog(options: { readonly json: boolean }): Dialog {
  const { stdin, stdout, stderr } = process;
  return {
    interactive: !options.json && stdin.isTTY && stderr.isTTY,
    input: stdin,
    output: stderr,
    print: (line) => {
      stdout.write(`${line}\n`);
    },
    say: (line) => {
      stderr.write(`${line}\n`);
    },
  };
}

/**
 * Asks one question after the other until an answer is understood.
 *
 * @param understand what an answer means; undefined where it means nothing, and is asked again
 * @returns null where there will be no answer: end of input, or Ctrl-C
 */
export async function ask<Answer>(
  { input, output }: Dialog,
  question: string,
  understand: (answer: string) => Answer | undefined,
): Promise<Answer | null> {
  const terminal = 'isTTY' in output && output.isTTY === true;
  const lines = createInterface({ input, output, terminal });
  try {
    return await new Promise<Answer | null>((resolve, reject) => {
      lines.on('SIGINT', () => {
        output.write('\n');
        resolve(null);
      });
      lines.on('close', () => {
        resolve(null);
      });
      // An input that breaks gives no answer either, but not silently.
      input.once('error', reject);
      lines.on('line', (line) => {
        const answer = understand(line.trim().toLowerCase());
        if (answer === undefined) lines.prompt();
        else resolve(answer);
      });
      lines.setPrompt(question);
      lines.prompt();
    });
  } finally {
    lines.close();
  }
}

/** Asks whether to go on; an empty answer is a no. */
export async function confirm(dialog: Dialog, question: string): Promise<boolean> {
  const answer = await ask(dialog, `${question} [y/N] `, (text) => {
    if (['y', 'yes'].includes(text)) return 'yes' as const;
    return ['', 'n', 'no', 'q'].includes(text) ? ('no' as const) : undefined;
  });
  return answer === 'yes';
}
