import { z } from 'zod';

const name = z.string().min(1);
const optionalName = name.optional();

const ledger = z.strictObject({
  table: name,
  id: name,
  wallet: name,
  amount: name,
  reason: optionalName,
  note: optionalName,
  metadata: optionalName,
  actor: optionalName,
  idempotencyKey: optionalName,
  transaction: optionalName,
  counterparty: optionalName,
  balanceAfter: optionalName,
  sequence: optionalName,
  reverses: optionalName,
  hold: optionalName,
  writer: optionalName,
  createdAt: optionalName,
});

const wallet = z.strictObject({
  table: name,
  id: name,
  balance: name,
  profile: optionalName,
  lifetimeEarnings: optionalName,
  pendingBalance: optionalName,
  allowOverdraft: optionalName,
  minBalance: optionalName,
  maxBalance: optionalName,
  currency: optionalName,
  primary: optionalName,
  frozen: optionalName,
  frozenReason: optionalName,
  updatedAt: optionalName,
});

const profile = z.strictObject({
  table: name,
  id: name,
  user: optionalName,
  balance: optionalName,
  lifetimeEarnings: optionalName,
  updatedAt: optionalName,
});

const activity = z.strictObject({
  table: name,
  id: optionalName,
  user: name,
  type: name,
  sourceModel: optionalName,
  sourceId: name,
  metadata: optionalName,
  occurredAt: optionalName,
  createdAt: optionalName,
  /** No column: what stands in sourceModel. Default: the name of the ledger's table. */
  source: optionalName,
});

const reason = z.strictObject({
  earns: z.boolean().optional(),
  allows: z.enum(['credit', 'debit', 'both']).optional(),
  actors: z.array(name).optional(),
});

/** Reasons beside the default ones, or in place of them. */
export const reasonsPart = z.record(name, reason);

/**
 * The mapping file: which table and which column plays which part. Table names may be
 * schema-qualified (`schema.table`); every name is taken exactly as the catalog spells it.
 */
export const mappingFile = z.strictObject({
  ledger,
  wallet,
  profile: profile.optional(),
  activity: activity.optional(),
  reasons: reasonsPart.optional(),
});

/** A file that names no table: Trueup's own, with other reasons. */
export const ownTablesFile = z.strictObject({ reasons: reasonsPart });

/** A mapping as a person writes it. */
export type Mapping = z.infer<typeof mappingFile>;
