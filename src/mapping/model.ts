import type { ReasonRegistry } from '../core/reasons.js';

/** What a mapping became once the database confirmed it: every name quoted, every type known. */

/** The families of types that Trueup tells apart. */
export type Kind =
  'integer' | 'numeric' | 'uuid' | 'text' | 'boolean' | 'timestamp' | 'json' | 'xid8' | 'other';

export interface Column {
  readonly name: string;
  readonly quoted: string;
  /** As the catalog prints it, for people: `numeric(10,2)`, or the name of a domain. */
  readonly type: string;
  /** The plain type behind it, for casts and declarations: `numeric`. */
  readonly baseType: string;
  readonly kind: Kind;
  /** Digits after the point that it can hold; Infinity where the type sets no bound. */
  readonly scale: number;
  readonly nullable: boolean;
  readonly generated: boolean;
  /** The database numbers it by itself. */
  readonly identity: boolean;
  /** Its default as SQL, such as nextval('...'); null where it has none. */
  readonly defaultSql: string | null;
  /** A unique index over this column alone holds for every row. */
  readonly unique: boolean;
  /** The conditions under which a unique index over this column alone holds. */
  readonly uniqueWhere: readonly string[];
}

export interface Table {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** Schema-qualified and quoted. Also the name under which Trueup keeps records of a ledger. */
  readonly quoted: string;
}

export interface Ledger {
  readonly table: Table;
  readonly id: Column;
  readonly wallet: Column;
  readonly amount: Column;
  readonly reason?: Column;
  readonly note?: Column;
  readonly metadata?: Column;
  readonly actor?: Column;
  readonly idempotencyKey?: Column;
  readonly transaction?: Column;
  readonly counterparty?: Column;
  readonly balanceAfter?: Column;
  readonly sequence?: Column;
  /** The entry that an entry takes back. */
  readonly reverses?: Column;
  /** The hold that an entry captures. */
  readonly hold?: Column;
  readonly writer?: Column;
  readonly createdAt?: Column;
}

export interface Wallet {
  readonly table: Table;
  readonly id: Column;
  readonly balance: Column;
  readonly profile?: Column;
  readonly lifetimeEarnings?: Column;
  readonly pendingBalance?: Column;
  readonly allowOverdraft?: Column;
  /** How far below zero an overdraft may go; null: without end. */
  readonly minBalance?: Column;
  readonly maxBalance?: Column;
  readonly currency?: Column;
  /** Of the wallets of one profile, the one that the profile shows. */
  readonly primary?: Column;
  readonly frozen?: Column;
  readonly frozenReason?: Column;
  readonly updatedAt?: Column;
}

export interface Profile {
  readonly table: Table;
  readonly id: Column;
  /** The column of the wallet table that names the profile. */
  readonly link: Column;
  readonly user?: Column;
  readonly balance?: Column;
  readonly lifetimeEarnings?: Column;
  readonly updatedAt?: Column;
}

/** The application's table of events, one of which each entry of a user is. */
export interface Activity {
  readonly table: Table;
  /** Named only where the database does not fill it by itself. */
  readonly id?: Column;
  readonly user: Column;
  readonly type: Column;
  readonly sourceModel?: Column;
  readonly sourceId: Column;
  readonly metadata?: Column;
  /** When the coins moved. */
  readonly occurredAt?: Column;
  /** When the row was written. */
  readonly createdAt?: Column;
  /** What stands in {@link sourceModel}. */
  readonly source: string;
  /** Its constraints that are checked at the commit unless asked before, qualified and quoted. */
  readonly deferredConstraints: readonly string[];
}

/** A mapping that fits the database it was resolved on. */
export interface ResolvedMapping {
  readonly ledger: Ledger;
  readonly wallet: Wallet;
  readonly profile?: Profile;
  /** Only with a profile that names its user. */
  readonly activity?: Activity;
  /** No index promises that a profile has one wallet only. */
  readonly sharedProfilesPossible: boolean;
  /**
   * The entries of a wallet are numbered under its lock, each with the balance after it, as in Trueup's
   * own tables: sequence, balanceAfter and writer are mapped.
   */
  readonly numbered: boolean;
  readonly reasons: ReasonRegistry;
  /** Reasons whose positive entries are no earnings. */
  readonly unearned: readonly string[];
  /** Trueup's table of holds is in this database, so pending balances can be compared with it. */
  readonly holdsKept: boolean;
  /** The marks of deferred profiles are in this database, and may be read: a marked profile is no drift. */
  readonly marksKept: boolean;
  /** Balances from before the installation are on record in this database, and may be read. */
  readonly openingsKept: boolean;
}
