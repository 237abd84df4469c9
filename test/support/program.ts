import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { vi } from 'vitest';

/** Programs of a few lines that use the built library in a process of their own. */

const ROOT = resolve(import.meta.dirname, '../..');
const DEADLINE = { timeout: 40_000, interval: 5 };

/** Builds the library if it has changed. */
export function build(): void {
  const setup = spawnSync(process.execPath, ['scripts/setup.mjs'], { cwd: ROOT, encoding: 'utf8' });
  if (setup.status !== 0) throw new Error(`the library was not built: ${setup.stderr}`);
}

/** A module of the built library, as the text of a program imports it. */
export function built(file: string): string {
  return JSON.stringify(pathToFileURL(join(ROOT, 'dist', file)).href);
}

const running = new Set<Program>();

/** Ends what a test has left running. */
export async function killPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.kill()));
}

export class Program {
  readonly process: ChildProcess;
  /** The exit status; null after a signal. */
  readonly ended: Promise<number | null>;
  #said = '';
  #complaints = '';

  /** Runs the text of a program with these arguments. */
  constructor(text: string, ...args: string[]) {
    const node = ['--input-type=module', '-e', text, ...args];
    this.process = spawn(process.execPath, node, { stdio: 'pipe' });
    this.process.stdout?.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    this.process.stderr?.on('data', (chunk: Buffer) => (this.#complaints += chunk.toString()));
    running.add(this);
    this.ended = new Promise((done) => {
      this.process.once('close', (status) => {
        running.delete(this);
        done(status);
      });
    });
  }

  /** Whole lines that it has printed. */
  lines(): string[] {
    return this.#said.split('\n').slice(0, -1);
  }

  get complaints(): string {
    return this.#complaints;
  }

  /** Waits until it has printed so many lines. */
  async printed(count: number): Promise<void> {
    await vi.waitUntil(() => {
      if (this.process.exitCode !== null) throw new Error(`it ended: ${this.#complaints}`);
      return this.lines().length >= count;
    }, DEADLINE);
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}
