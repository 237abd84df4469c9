import type { ResolvedMapping } from './model.js';
import type { Mapping } from './schema.js';

/** Whether a mapping is that of Trueup's own tables, whatever reasons it brings. */
export function isOwn(mapping: Mapping): boolean {
  return mapping.ledger === OWN_MAPPING.ledger && mapping.wallet === OWN_MAPPING.wallet;
}

/** Whether the tables are in Trueup's own schema, by whatever mapping. */
export function keepsOwnTables({ ledger }: ResolvedMapping): boolean {
  return ledger.table.schema === 'trueup';
}

/** Trueup's own tables, as a mapping like any other. The engine knows no table by name. */
export const OWN_MAPPING: Mapping = {
  ledger: {
    table: 'trueup.entries',
    id: 'id',
    wallet: 'wallet_id',
    amount: 'amount',
    reason: 'reason',
    note: 'note',
    metadata: 'metadata',
    actor: 'actor',
    idempotencyKey: 'idempotency_key',
    transaction: 'transaction_id',
    counterparty: 'counterparty_wallet_id',
    balanceAfter: 'balance_after',
    sequence: 'seq',
    reverses: 'reverses_entry_id',
    hold: 'hold_id',
    writer: 'writer',
    createdAt: 'created_at',
  },
  wallet: {
    table: 'trueup.wallets',
    id: 'id',
    profile: 'profile_id',
    balance: 'balance',
    lifetimeEarnings: 'lifetime_earnings',
    pendingBalance: 'pending_balance',
    allowOverdraft: 'allow_overdraft',
    minBalance: 'min_balance',
    maxBalance: 'max_balance',
    currency: 'currency',
    primary: 'is_primary',
    frozen: 'frozen',
    frozenReason: 'frozen_reason',
    updatedAt: 'updated_at',
  },
  profile: {
    table: 'trueup.profiles',
    id: 'id',
    user: 'user_id',
    balance: 'balance',
    lifetimeEarnings: 'lifetime_earnings',
    updatedAt: 'updated_at',
  },
};
