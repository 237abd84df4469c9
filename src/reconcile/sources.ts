import * as statements from './detect-statements.js';
import type { Pace } from './pace.js';
import { patiently } from './patience.js';
import type { Piece, Walk } from './walk.js';

/** Why a source gives no more pieces. */
export type SourceEnd = 'complete' | 'limit' | 'stopped' | 'run_time';

/** The pieces of a stage, in the order in which they are handled. */
export type Source = AsyncGenerator<Piece, SourceEnd>;

/** What every source needs. */
export interface SourceOptions {
  readonly pace: Pace;
  readonly signal: AbortSignal | undefined;
  readonly onLost: () => void;
}

/**
 * Every wallet in id order. The last piece is open to the end, so that entries whose wallet does not
 * exist are seen wherever their id lies.
 */
export async function* everyWallet(
  walk: Walk,
  options: SourceOptions,
  from: { readonly above: string | null; readonly limit: number },
): Source {
  let above = from.above ?? undefined;
  let remaining = from.limit;
  for (;;) {
    const turn = await options.pace.beforeNext(options.signal);
    if (turn !== 'go') return turn;
    // At the limit one row more is probed, only to know whether anything is left.
    const size = remaining === 0 ? 1 : Math.min(options.pace.size(), remaining);
    const end = await endOf(walk, options, walk.mapping.wallet, { above, size });
    if (remaining === 0 && end.rows > 0) return 'limit';
    const upTo = end.rows < size ? undefined : end.upTo;
    const mark = upTo === undefined ? { walked: true } : { above: upTo };
    yield { kind: 'range', above, upTo, wallets: end.rows, mark };
    if (upTo === undefined) return 'complete';
    above = upTo;
    remaining -= end.rows;
  }
}

/** Some wallets, in the order of the list. */
export async function* listedWallets(
  walletIds: readonly string[],
  { pace, signal }: SourceOptions,
  from: { readonly above: string | null; readonly limit: number },
): Source {
  const first = from.above === null ? 0 : walletIds.indexOf(from.above) + 1;
  const end = Math.min(walletIds.length, first + from.limit);
  for (let at = first; at < end;) {
    const turn = await pace.beforeNext(signal);
    if (turn !== 'go') return turn;
    const ids = walletIds.slice(at, Math.min(at + pace.size(), end));
    at += ids.length;
    const mark = { above: ids.at(-1) ?? null, walked: at === walletIds.length };
    yield { kind: 'ids', walletIds: ids, wallets: ids.length, mark };
  }
  return end < walletIds.length ? 'limit' : 'complete';
}

/** The profiles, of which some may have no wallet. */
export async function* everyProfile(
  walk: Walk,
  options: SourceOptions,
  from: string | null,
): Source {
  if (walk.mapping.profile === undefined) return 'complete';
  let above = from ?? undefined;
  for (;;) {
    const turn = await options.pace.beforeNext(options.signal);
    if (turn !== 'go') return turn;
    const size = options.pace.size();
    const { upTo } = await endOf(walk, options, walk.mapping.profile, { above, size });
    if (upTo === undefined) return 'complete';
    yield { kind: 'profiles', above, upTo, wallets: 0, mark: { profilesAbove: upTo } };
    above = upTo;
  }
}

/** The end of the batch of so many rows that begins after a key. */
export async function endOf(
  { database }: Walk,
  { signal, onLost }: SourceOptions,
  walked: statements.Walked,
  batch: { readonly above: string | undefined; readonly size: number },
): Promise<{ rows: number; upTo: string | undefined }> {
  const [row] = await patiently(
    () =>
      database.query<{ upTo: string | null; rows: string }>(
        statements.batchEnd(walked, batch.above, batch.size),
      ),
    { signal, onLost },
  );
  return { rows: Number(row?.rows ?? 0), upTo: row?.upTo ?? undefined };
}
