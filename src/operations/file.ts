import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf, TrueupError } from '../core/errors.js';

/** How much is gathered before it is written, in characters. */
const BUFFER = 256 * 1024;

/**
 * A file that is there as a whole or not at all: it is written beside its place, and takes it when it is
 * complete. Writing does not wait for a reader, so whatever tells it something may be told by a callback,
 * and memory stays flat.
 */
export class WholeFile {
  readonly path: string;
  readonly #beside: string;
  #handle: number | undefined;
  #pending: string[] = [];
  #length = 0;

  private constructor(path: string, beside: string, handle: number) {
    this.path = path;
    this.#beside = beside;
    this.#handle = handle;
  }

  /**
   * Begins one, and proves that its folder can be written.
   *
   * @throws TrueupError `file_unwritable`
   */
  static begin(given: string): WholeFile {
    const asked = resolve(given);
    try {
      // A link stays one: what it leads to is replaced.
      const path = existsSync(asked) ? realpathSync(asked) : asked;
      if (existsSync(path) && !statSync(path).isFile()) throw new Error('it is no regular file');
      const beside = join(
        dirname(path),
        `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`,
      );
      return new WholeFile(path, beside, openSync(beside, 'wx'));
    } catch (cause) {
      throw unwritable(given, cause);
    }
  }

  /** @throws TrueupError `file_unwritable` */
  write(text: string): void {
    this.#pending.push(text);
    this.#length += text.length;
    if (this.#length >= BUFFER) this.#flush();
  }

  /** Puts it into its place, on disk to the last byte. @throws TrueupError `file_unwritable` */
  complete(): void {
    this.#flush();
    const handle = this.#handle;
    if (handle === undefined) return;
    this.#attempt(() => {
      fsyncSync(handle);
      closeSync(handle);
      this.#handle = undefined;
      renameSync(this.#beside, this.path);
    });
  }

  /** Leaves what was there before; after {@link complete} it does nothing. */
  abandon(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    this.#handle = undefined;
    rmSync(this.#beside, { force: true });
  }

  #flush(): void {
    const bytes = Buffer.from(this.#pending.join(''));
    this.#pending = [];
    this.#length = 0;
    this.#attempt(() => {
      const handle = this.#handle;
      if (handle === undefined) throw new Error('it is closed');
      for (let from = 0; from < bytes.length;) from += writeSync(handle, bytes, from);
    });
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.abandon();
      throw unwritable(this.path, cause);
    }
  }
}

function unwritable(path: string, cause: unknown): TrueupError {
  // Node names the file it tried, which is the one beside: nobody has asked for that.
  const why = messageOf(cause).replace(/, \w+ '[^']*\.tmp'.*$/s, '');
  return new TrueupError('file_unwritable', `cannot write ${path}: ${why}`, {
    hint: 'Check that its folder exists, that it may be written, and that the disk is not full.',
    cause,
  });
}
