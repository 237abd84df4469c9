/**
 * The economy as plain as can be: numbers, and one thing after the other. Wallets, holds and entries
 * are known by their places in these lists.
 */

export interface ModelWallet {
  readonly currency: string;
  readonly floor: number | null;
  ceiling: number | null;
  frozen: boolean;
  balance: number;
}

export interface ModelHold {
  readonly wallet: number;
  readonly amount: number;
  readonly reason: string;
  captured: number;
  state: string;
}

export interface ModelEntry {
  readonly transaction: number;
  readonly wallet: number;
  readonly amount: number;
  readonly counterparty: number | null;
  readonly reason: string;
  readonly hold: number | null;
  readonly reverses: number | null;
  readonly balanceAfter: number;
}

export interface ModelLimit {
  readonly wallet: number;
  readonly reason: string | null;
  amount: number;
  spent: number;
}

/** For what a key was used. */
export type ModelUse =
  | { readonly kind: 'entries'; readonly first: number; readonly count: number }
  | { readonly kind: 'hold' | 'release'; readonly hold: number };

export interface State {
  readonly wallets: ModelWallet[];
  readonly limits: ModelLimit[];
  readonly holds: ModelHold[];
  readonly entries: ModelEntry[];
  readonly keys: Map<string, ModelUse>;
}

interface Movement {
  readonly verb: 'credit' | 'debit' | 'hold';
  readonly wallet: number;
  readonly amount: unknown;
  readonly reason: string;
  readonly currency: string | undefined;
}

interface Transfer {
  readonly verb: 'transfer';
  readonly from: number;
  readonly to: number;
  readonly amount: unknown;
  readonly reason: string | undefined;
}

interface Capture {
  readonly verb: 'capture';
  readonly hold: number;
  readonly amount: unknown;
  readonly to: number | undefined;
  readonly releaseRest: boolean;
}

interface Reversal {
  readonly verb: 'reverse';
  readonly entry: number;
  readonly amount: unknown;
  readonly byTransaction: boolean;
}

/** One item. A place at which nothing stands means something that nobody knows. */
export type Command = { readonly key: string | undefined; readonly link: string | undefined } & (
  Movement | Transfer | Capture | Reversal | { readonly verb: 'release'; readonly hold: number }
);

export type Prediction =
  | { readonly status: 'refused'; readonly code: string }
  | {
      readonly status: 'posted';
      readonly replayed: boolean;
      readonly first: number;
      readonly count: number;
    }
  | { readonly status: 'held' | 'released'; readonly replayed: boolean; readonly hold: number };

export const no = (code: string): Prediction => ({ status: 'refused', code });

/** What a hold still keeps. */
export function kept(hold: ModelHold): number {
  return hold.state === 'open' ? hold.amount - hold.captured : 0;
}

/** What can be spent of a wallet. */
export function free({ wallets, holds }: State, wallet: number): number {
  const balance = wallets[wallet]?.balance ?? 0;
  return holds.reduce((left, one) => left - (one.wallet === wallet ? kept(one) : 0), balance);
}

/** Whole coins from 1 up, as a number, a bigint or digits. */
export function coins(amount: unknown): number | undefined {
  if (typeof amount === 'string' && !/^\d{1,16}$/.test(amount)) return undefined;
  if (!['string', 'number', 'bigint'].includes(typeof amount)) return undefined;
  const value = Number(amount);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** The places of the entries of a transaction, first those that gave coins. */
export function siblings({ entries }: State, place: number): number[] {
  const transaction = entries[place]?.transaction;
  if (transaction === undefined) return [];
  const places = entries.flatMap((one, at) => (one.transaction === transaction ? [at] : []));
  const gave = (at: number): boolean => (entries[at]?.amount ?? 0) > 0;
  return [...places.filter(gave), ...places.filter((at) => !gave(at))];
}
