import { TrueupError } from '../core/errors.js';
import { sqlStateOf } from '../postgres/failures.js';
import { withNegatives } from './negatives.js';
import { patiently } from './patience.js';
import { endOf, type SourceOptions } from './sources.js';
import { detectIn, type Piece, type Suspect, type Walk } from './walk.js';

/** What was seen in a piece. */
export interface Seen {
  readonly suspects: readonly Suspect[];
  /** Wallets that even by themselves took longer than the server allows. */
  readonly tooLong: readonly string[];
}

/**
 * Looks at a piece. Where the server ends the statement (statement_timeout, pg_cancel_backend), later
 * batches are smaller, and of this one each half is looked at by itself, down to one wallet.
 *
 * @throws TrueupError `database_failed`: the server allows not even a piece without wallets
 */
export async function detectPatiently(
  walk: Walk,
  piece: Piece,
  options: SourceOptions,
): Promise<Seen> {
  const whole = await detectOnce(walk, piece, options);
  if (whole !== undefined) return whole;
  const size = sizeOf(piece, options);
  options.pace.tooLong(size);
  return detectHalves(walk, piece, { ...options, size });
}

/** Profiles of a range are not counted: theirs is the size that the pace has given. */
function sizeOf(piece: Piece, { pace }: SourceOptions): number {
  if (piece.kind === 'profiles') return pace.size();
  return piece.kind === 'profileIds' ? piece.profileIds.length : piece.wallets;
}

/** undefined: the server ended the statement. */
async function detectOnce(
  walk: Walk,
  piece: Piece,
  options: SourceOptions,
): Promise<Seen | undefined> {
  try {
    const suspects = await patiently(
      async () => withNegatives(walk, piece, await detectIn(walk, piece)),
      options,
    );
    return { suspects, tooLong: [] };
  } catch (error) {
    if (sqlStateOf(error) !== '57014' || options.signal?.aborted === true) throw error;
    return undefined;
  }
}

type SizedOptions = SourceOptions & { readonly size: number };

async function detectHalves(walk: Walk, piece: Piece, options: SizedOptions): Promise<Seen> {
  const halves = await halvesOf(walk, piece, options);
  if (halves.length < 2) return { suspects: [], tooLong: alone(piece) };
  const suspects: Suspect[] = [];
  const tooLong: string[] = [];
  for (const { half, size } of halves) {
    const seen =
      (await detectOnce(walk, half, options)) ??
      (await detectHalves(walk, half, { ...options, size }));
    suspects.push(...seen.suspects);
    tooLong.push(...seen.tooLong);
  }
  return { suspects, tooLong };
}

/** The one wallet of a piece that cannot be halved. @throws TrueupError where it has none */
function alone(piece: Piece): readonly string[] {
  if (piece.kind === 'ids') return piece.walletIds;
  if (piece.kind === 'range' && piece.upTo !== undefined && piece.wallets > 0) return [piece.upTo];
  throw new TrueupError(
    'database_failed',
    `the server ended a look at ${piece.kind === 'profileIds' ? 'a profile' : `ids after ${piece.above ?? 'the first'}`}, though no batch can be smaller [57014]`,
    { hint: 'Raise statement_timeout for this role, or find out who cancels its statements.' },
  );
}

interface Half {
  readonly half: Piece;
  readonly size: number;
}

/** The two halves of a piece; less where it is as small as it gets. */
async function halvesOf(walk: Walk, piece: Piece, options: SizedOptions): Promise<readonly Half[]> {
  const size = Math.max(1, Math.floor(options.size / 2));
  const rest = options.size - size;
  if (piece.kind === 'ids') {
    const parts = [piece.walletIds.slice(0, size), piece.walletIds.slice(size)];
    return parts
      .filter((walletIds) => walletIds.length > 0)
      .map((walletIds) => ({ half: { ...piece, walletIds }, size: walletIds.length }));
  }
  if (piece.kind === 'profileIds') {
    const parts = [piece.profileIds.slice(0, size), piece.profileIds.slice(size)];
    return parts
      .filter((profileIds) => profileIds.length > 0)
      .map((profileIds) => ({ half: { ...piece, profileIds }, size: profileIds.length }));
  }
  const walked = piece.kind === 'range' ? walk.mapping.wallet : walk.mapping.profile;
  if (walked === undefined || options.size === 0) return [];
  const { upTo } = await endOf(walk, options, walked, { above: piece.above, size });
  if (upTo === undefined || upTo === piece.upTo) return [];
  if (piece.kind === 'profiles') {
    return [
      { half: { ...piece, upTo }, size },
      { half: { ...piece, above: upTo }, size: Math.max(1, rest) },
    ];
  }
  // The last piece is open to the end, and after its last wallet it still has ids without any.
  return [
    { half: { ...piece, upTo, wallets: size }, size },
    { half: { ...piece, above: upTo, wallets: rest }, size: rest },
  ];
}
