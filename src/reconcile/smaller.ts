import { sqlStateOf } from '../postgres/failures.js';
import type { Pace } from './pace.js';
import { endOf, type SourceOptions } from './sources.js';
import { detectIn, type Piece, type Suspect, type Walk } from './walk.js';

/** What was seen in a piece. */
export interface Seen {
  readonly suspects: readonly Suspect[];
  /** Wallets that even by themselves took longer than the server allows. */
  readonly tooLong: readonly string[];
}

/**
 * Looks at a piece. Where the server ends the statement (statement_timeout, pg_cancel_backend), it looks at
 * each half by itself, down to one wallet, and later batches are smaller.
 */
export async function detectPatiently(
  walk: Walk,
  piece: Piece,
  options: SourceOptions,
): Promise<Seen> {
  try {
    return { suspects: await detectIn(walk, piece), tooLong: [] };
  } catch (error) {
    if (!isCanceled(error) || options.signal?.aborted === true) throw error;
    const size = sizeOf(piece, options.pace);
    options.pace.tooLong(size);
    if (piece.kind === 'ids' && piece.walletIds.length === 1) {
      return { suspects: [], tooLong: piece.walletIds };
    }
    const parts = await halvesOf(walk, piece, { ...options, size });
    if (parts === undefined) throw error;
    const [first, second] = parts;
    const [one, other] = [
      await detectPatiently(walk, first, options),
      await detectPatiently(walk, second, options),
    ];
    return {
      suspects: [...one.suspects, ...other.suspects],
      tooLong: [...one.tooLong, ...other.tooLong],
    };
  }
}

function isCanceled(error: unknown): boolean {
  return sqlStateOf(error) === '57014';
}

/** Profiles are not counted: theirs is the size that the pace has given. */
function sizeOf(piece: Piece, pace: Pace): number {
  return piece.kind === 'profiles' ? pace.size() : piece.wallets;
}

/** The two halves of a piece; none where it is as small as it gets. */
async function halvesOf(
  walk: Walk,
  piece: Piece,
  { size, ...options }: SourceOptions & { readonly size: number },
): Promise<readonly [Piece, Piece] | undefined> {
  if (piece.kind === 'ids') {
    const middle = Math.ceil(piece.walletIds.length / 2);
    const [first, second] = [piece.walletIds.slice(0, middle), piece.walletIds.slice(middle)];
    return [
      { ...piece, walletIds: first, wallets: first.length },
      { ...piece, walletIds: second, wallets: second.length },
    ];
  }
  const walked = piece.kind === 'range' ? walk.mapping.wallet : walk.mapping.profile;
  if (walked === undefined || size < 1) return undefined;
  const half = { above: piece.above, size: Math.max(1, Math.floor(size / 2)) };
  const { upTo } = await endOf(walk, options, walked, half);
  if (upTo === undefined) return undefined;
  if (piece.kind === 'profiles') {
    if (upTo === piece.upTo) return undefined;
    return [
      { ...piece, upTo },
      { ...piece, above: upTo },
    ];
  }
  if (size === 1) {
    // The wallet by itself, and what may lie around it: entries of wallets that do not exist.
    return [
      { kind: 'ids', walletIds: [upTo], wallets: 1, mark: piece.mark },
      { ...piece, above: upTo, wallets: 0 },
    ];
  }
  return [
    { ...piece, upTo, wallets: half.size },
    { ...piece, above: upTo, wallets: size - half.size },
  ];
}
