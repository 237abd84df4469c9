import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { z } from 'zod';
import { messageOf, TrueupError } from '../../core/errors.js';
import { endLine, LINES, type PlanEnd, type PlanHeader, type PlanWallet } from './format.js';

/** The longest line that a plan can have, in bytes; ids may be long, and a wallet has few caches. */
const LONGEST_LINE = 1_000_000;

/** A plan that was read to its end, and is as it was written. */
export interface CheckedPlan {
  readonly path: string;
  readonly header: PlanHeader;
  readonly end: PlanEnd;
}

/**
 * Reads a plan to its end, in a fixed amount of memory, before anything of it is believed.
 *
 * @throws TrueupError `file_unreadable`, `plan_invalid` (it is none, or of another version),
 *   `plan_truncated`, `plan_altered`
 */
export async function checkPlan(path: string): Promise<CheckedPlan> {
  const hash = createHash('sha256');
  const counted = { wallets: 0, findings: 0 };
  let header: PlanHeader | undefined;
  let end: PlanEnd | undefined;
  for await (const { bytes, place, whole } of linesOf(path)) {
    if (end !== undefined) throw altered(path, `line ${String(place)} stands behind its end`);
    const line = parse(path, place, bytes, whole);
    if (header === undefined) {
      header = shaped(LINES.header, line, path, place);
    } else if (typeOf(line) === 'end') {
      end = shaped(LINES.end, line, path, place);
      if (!isSealed(hash, bytes)) throw altered(path, 'its checksum is another');
    } else {
      const wallet = shaped(LINES.wallet, line, path, place);
      counted.wallets += 1;
      counted.findings += wallet.findings.length;
    }
    hash.update(bytes);
  }
  if (header === undefined) throw invalid(path, 'it is empty');
  if (end === undefined) throw truncated(path);
  if (end.wallets !== counted.wallets || end.findings !== counted.findings) {
    throw altered(path, 'its totals are others');
  }
  return { path, header, end };
}

/** Whether the last line is exactly the one that belongs to those before it, and to its own totals. */
function isSealed(hash: Hash, bytes: Buffer): boolean {
  const line = bytes.toString('utf8');
  return endLine(hash, line.slice(0, Math.max(line.lastIndexOf(',"checksum":'), 0))) === line;
}

/** The wallets of a plan that was checked. @throws TrueupError as {@link checkPlan} */
export async function* walletsOf({ path }: CheckedPlan): AsyncGenerator<PlanWallet> {
  for await (const { bytes, place, whole } of linesOf(path)) {
    const line = parse(path, place, bytes, whole);
    if (typeOf(line) === 'wallet') yield shaped(LINES.wallet, line, path, place);
  }
}

interface Line {
  /** With its end. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly place: number;
  /** It ends with a line feed. */
  readonly whole: boolean;
}

const LINE_FEED = 10;

async function* linesOf(path: string): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let place = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (;;) {
        const at = rest.indexOf(LINE_FEED, from);
        if (at < 0) break;
        place += 1;
        yield { bytes: rest.subarray(from, at + 1), place, whole: true };
        from = at + 1;
      }
      rest = rest.subarray(from);
      if (rest.length > LONGEST_LINE) throw invalid(path, `line ${String(place + 1)} is too long`);
    }
  } catch (cause) {
    if (cause instanceof TrueupError) throw cause;
    throw new TrueupError('file_unreadable', `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
  if (rest.length > 0) yield { bytes: rest, place: place + 1, whole: false };
}

/** What does not end with its line was cut, unless it is not even the beginning of a plan. */
function parse(path: string, place: number, bytes: Buffer, whole: boolean): unknown {
  if (!whole && place > 1) throw truncated(path);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalid(path, `line ${String(place)} is no JSON: ${messageOf(cause)}`);
  }
}

function typeOf(line: unknown): unknown {
  return typeof line === 'object' && line !== null && 'type' in line ? line.type : undefined;
}

function shaped<Shape extends z.ZodType>(
  shape: Shape,
  line: unknown,
  path: string,
  place: number,
): z.infer<Shape> {
  const result = shape.safeParse(line);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`;
  throw invalid(path, `line ${String(place)} is not as it has to be (${where})`);
}

const AGAIN = 'Make it again: trueup reconcile --all --plan FILE. Nothing was changed.';

function invalid(path: string, why: string): TrueupError {
  return new TrueupError('plan_invalid', `${path} is no plan of this Trueup: ${why}`, {
    hint: AGAIN,
  });
}

function truncated(path: string): TrueupError {
  return new TrueupError('plan_truncated', `the end of the plan ${path} is missing`, {
    hint: AGAIN,
  });
}

function altered(path: string, why: string): TrueupError {
  return new TrueupError('plan_altered', `the plan ${path} is not as it was written: ${why}`, {
    hint: AGAIN,
  });
}
