import type { PreparedItem, WalletReference } from '../core/posting/request.js';
import type { Column, ResolvedMapping } from '../mapping/model.js';
import { possibleId } from '../mapping/ids.js';

/** Everything that a batch has to look at, by the ids that its items name. Each list has each once. */
export interface Wanted {
  readonly wallets: readonly string[];
  /** Users and currencies, side by side; a null currency means the primary wallet. */
  readonly users: readonly string[];
  readonly currencies: readonly (string | null)[];
  readonly holds: readonly string[];
  readonly entries: readonly string[];
  readonly transactions: readonly string[];
  readonly keys: readonly string[];
}

/** To be filled with the few things that are wanted. */
export const NOTHING: Wanted = {
  wallets: [],
  users: [],
  currencies: [],
  holds: [],
  entries: [],
  transactions: [],
  keys: [],
};

/** Collects what items name. An id that its column cannot hold belongs to nothing: it is left out. */
export function wantedBy(mapping: ResolvedMapping, items: readonly PreparedItem[]): Wanted {
  const wallets = new Set<string>();
  const users = new Map<string, { user: string; currency: string | null }>();
  const holds = new Set<string>();
  const entries = new Set<string>();
  const transactions = new Set<string>();
  const keys = new Set<string>();
  const { ledger, wallet, profile } = mapping;
  const wantWallet = ({ walletId, userId, currency: wanted }: WalletReference): void => {
    const currency = wanted ?? null;
    if (walletId !== undefined) add(wallets, wallet.id, walletId);
    else if (possibleId(profile?.user, userId)) {
      users.set(JSON.stringify([userId, currency]), { user: userId, currency });
    }
  };
  for (const { item } of items) {
    if (item.idempotencyKey !== undefined) keys.add(item.idempotencyKey);
    switch (item.type) {
      case 'transfer':
        wantWallet(item.from);
        wantWallet(item.to);
        break;
      case 'reverse':
        add(entries, ledger.id, item.entryId);
        add(transactions, ledger.transaction, item.transactionId);
        break;
      case 'capture':
        if (item.to !== undefined) wantWallet(item.to);
        holds.add(item.holdId);
        break;
      case 'release':
        holds.add(item.holdId);
        break;
      case 'credit':
      case 'debit':
      case 'hold':
        wantWallet(item);
    }
  }
  const named = [...users.values()];
  return {
    wallets: [...wallets],
    users: named.map(({ user }) => user),
    currencies: named.map(({ currency }) => currency),
    holds: [...holds].filter((id) => UUID.test(id)),
    entries: [...entries],
    transactions: [...transactions],
    keys: [...keys],
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function add(ids: Set<string>, column: Column | undefined, id: string | undefined): void {
  if (possibleId(column, id)) ids.add(id);
}
