import type { Amount, ItemOutcome, PostItem, Trueup, WalletReference } from '../../src/index.js';
import type { TestDatabase } from './database.js';
import {
  type Command,
  type ModelEntry,
  type ModelHold,
  type ModelUse,
  type Prediction,
  type State,
} from './model-state.js';

/** A model's state and the database beside each other: places here, ids there. */

const NOBODY = '987654321987';
const NO_HOLD = '00000000-0000-4000-8000-000000000000';
const LEDGER = '"trueup"."entries"';
/** One window for all tests: it began in 1970 and ends in 2033. */
const WINDOW = 2_000_000_000;

/** The wallets of a history; `user` says whose it is. */
const WALLETS = [
  { user: 'a', currency: 'coins', floor: 0, ceiling: null },
  { user: 'b', currency: 'coins', floor: 0, ceiling: null },
  { user: 'c', currency: 'coins', floor: -50, ceiling: null },
  { user: null, currency: 'coins', floor: null, ceiling: null },
  { user: 'a', currency: 'gems', floor: 0, ceiling: null },
  { user: 'b', currency: 'gems', floor: 0, ceiling: 120 },
  { user: 'd', currency: 'coins', floor: 0, ceiling: 150 },
] as const;
export const WALLET_COUNT = WALLETS.length;

/** A limit for all withdrawals; wallet 1 has one of its own in its place, wallet 0 one for everything. */
const LIMITS = [
  { wallet: 0, reason: null, amount: 150 },
  { wallet: 1, reason: 'withdrawal', amount: 200 },
] as const;
const GENERAL = { reason: 'withdrawal', amount: 90 } as const;

/** Once a database: the limit of every wallet. */
export async function limitWithdrawals(db: TestDatabase): Promise<void> {
  await db.run(
    `INSERT INTO trueup.spending_limits (ledger, reason, amount, window_seconds) VALUES ($1, $2, $3, $4)`,
    [LEDGER, GENERAL.reason, GENERAL.amount, WINDOW],
  );
}

export class World {
  readonly #db: TestDatabase;
  readonly #name: string;
  readonly #walletIds: string[] = [];
  #holdIds: string[] = [];
  #entryIds: string[] = [];
  state: State;

  private constructor(db: TestDatabase, name: string) {
    this.#db = db;
    this.#name = name;
    this.state = {
      wallets: WALLETS.map((one) => ({ ...one, frozen: false, balance: 0 })),
      limits: WALLETS.flatMap((_, wallet) => {
        const own = LIMITS.filter((limit) => limit.wallet === wallet);
        const general = own.some(({ reason }) => reason === GENERAL.reason)
          ? []
          : [{ wallet, ...GENERAL }];
        return [...own, ...general].map((limit) => ({ ...limit, spent: 0 }));
      }),
      holds: [],
      entries: [],
      keys: new Map(),
    };
  }

  /** Opens the wallets of a history, whose users and keys bear its name. */
  static async open(db: TestDatabase, trueup: Trueup, name: string): Promise<World> {
    const world = new World(db, name);
    for (const { user, currency, floor, ceiling } of WALLETS) {
      const id = await trueup.openWallet({
        ...(user === null ? {} : { userId: `${name}-${user}` }),
        currency,
        allowOverdraft: floor !== 0,
      });
      await db.run('UPDATE trueup.wallets SET min_balance = $2, max_balance = $3 WHERE id = $1', [
        id,
        floor === 0 ? null : floor,
        ceiling,
      ]);
      world.#walletIds.push(id);
    }
    for (const { wallet, reason, amount } of LIMITS) {
      await db.run(
        `INSERT INTO trueup.spending_limits (ledger, wallet_id, reason, amount, window_seconds)
         VALUES ($1, $2, $3, $4, $5)`,
        [LEDGER, world.walletId(wallet), reason, amount, WINDOW],
      );
    }
    return world;
  }

  walletId(place: number): string {
    return this.#walletIds[place] ?? NOBODY;
  }

  async setFrozen(place: number, frozen: boolean): Promise<void> {
    const wallet = this.state.wallets[place];
    if (wallet === undefined) return;
    wallet.frozen = frozen;
    await this.#db.run('UPDATE trueup.wallets SET frozen = $2 WHERE id = $1', [
      this.walletId(place),
      frozen,
    ]);
  }

  /** The item that a command means; wallets are named by their users where they have one. */
  item(command: Command, byUser: boolean): PostItem {
    const { key, link } = command;
    const common = { idempotencyKey: key === undefined ? key : `${this.#name}-${key}`, link };
    const reference = (place: number): WalletReference => {
      const wallet = WALLETS[place];
      const { user, currency } = wallet ?? { user: 'nobody', currency: undefined };
      if (!byUser || user === null) return { walletId: this.walletId(place) };
      return { userId: `${this.#name}-${user}`, ...(currency === 'gems' ? { currency } : {}) };
    };
    switch (command.verb) {
      case 'credit':
      case 'debit':
      case 'hold': {
        const { verb, amount, reason, currency, wallet } = command;
        const named =
          currency === undefined
            ? reference(wallet)
            : { walletId: this.walletId(wallet), currency };
        return { type: verb, ...named, amount: amount as Amount, reason, ...common };
      }
      case 'transfer': {
        const { from, to, amount, reason } = command;
        return {
          type: 'transfer',
          from: reference(from),
          to: reference(to),
          amount: amount as Amount,
          reason,
          ...common,
        };
      }
      case 'capture': {
        const { amount, releaseRest } = command;
        const to = command.to === undefined ? undefined : reference(command.to);
        return {
          type: 'capture',
          holdId: this.#holdId(command.hold),
          amount: amount as Amount | undefined,
          to,
          releaseRest,
          ...common,
        };
      }
      case 'release':
        return { type: 'release', holdId: this.#holdId(command.hold), ...common };
      case 'reverse': {
        const { amount, byTransaction } = command;
        const entry = this.state.entries[command.entry];
        const entryId = this.#entryIds[entry === undefined ? -1 : command.entry] ?? NOBODY;
        const transactionId = this.#transactionIds.get(entryId) ?? NOBODY;
        return {
          type: 'reverse',
          ...(byTransaction ? { transactionId } : { entryId }),
          amount: amount as Amount | undefined,
          ...common,
        };
      }
    }
  }

  readonly #transactionIds = new Map<string, string>();

  #holdId(place: number): string {
    return this.#holdIds[place] ?? NO_HOLD;
  }

  /** Takes the places that new entries and holds were given over, in the order of the items. */
  learn(outcomes: readonly ItemOutcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.status === 'refused' || outcome.replayed) continue;
      if (outcome.status === 'held') this.#holdIds.push(outcome.hold.holdId);
      if (outcome.status !== 'posted') continue;
      for (const { entryId } of outcome.entries) {
        this.#entryIds.push(entryId);
        this.#transactionIds.set(entryId, outcome.transactionId ?? '');
      }
    }
  }

  /** An outcome as the model would have said it, from the ids in it. */
  spell(outcome: ItemOutcome): Prediction {
    if (outcome.status === 'refused') return { status: 'refused', code: outcome.code };
    const { status, replayed } = outcome;
    if (status === 'posted') {
      const first = this.#entryIds.indexOf(outcome.entryId);
      return { status, replayed, first, count: outcome.entries.length };
    }
    return { status, replayed, hold: this.#holdIds.indexOf(outcome.hold.holdId) };
  }

  /** The place of an entry in the state; -1 where it is not there. */
  placeOf(entryId: string): number {
    return this.#entryIds.indexOf(entryId);
  }

  /** The state as the database has it. New entries and holds get the next places. */
  async load(): Promise<State> {
    const rows = await this.#db.rows(ENTRIES, [this.#walletIds]);
    const holdRows = await this.#db.rows(HOLDS, [this.#walletIds]);
    const spent = await this.#db.rows(SPENT, [this.#walletIds]);
    this.#holdIds = holdRows
      .map(({ id }) => id ?? '')
      .sort((left, right) => place(this.#holdIds, left) - place(this.#holdIds, right));
    this.#entryIds = rows.map(({ id }) => id ?? '');
    for (const { id, tx } of rows) this.#transactionIds.set(id ?? '', tx ?? '');
    const keys = new Map<string, ModelUse>();
    const use = (key: string | null | undefined, what: ModelUse): void => {
      if (key !== null && key !== undefined) keys.set(key.slice(this.#name.length + 1), what);
    };
    const at = (list: readonly string[], id: string | null | undefined): number | null =>
      id === null || id === undefined ? null : list.indexOf(id);
    const entries = rows.map((row, index): ModelEntry => {
      const count = rows.filter(({ tx }) => tx === row['tx']).length;
      use(row['key'], { kind: 'entries', first: index, count });
      return {
        transaction: rows.findIndex(({ tx }) => tx === row['tx']),
        wallet: at(this.#walletIds, row['wallet']) ?? -1,
        amount: Number(row['amount']),
        counterparty: at(this.#walletIds, row['counterparty']),
        reason: row['reason'] ?? '',
        hold: at(this.#holdIds, row['hold']),
        reverses: at(this.#entryIds, row['reverses']),
        balanceAfter: Number(row['after']),
      };
    });
    const holds: ModelHold[] = [];
    for (const row of holdRows) {
      const hold = at(this.#holdIds, row['id']) ?? -1;
      use(row['key'], { kind: 'hold', hold });
      use(row['release_key'], { kind: 'release', hold });
      holds[hold] = {
        wallet: at(this.#walletIds, row['wallet']) ?? -1,
        amount: Number(row['amount']),
        reason: row['reason'] ?? '',
        captured: Number(row['captured']),
        state: row['state'] ?? '',
      };
    }
    return {
      wallets: this.state.wallets.map((wallet, index) => ({
        ...wallet,
        balance: entries.reduce((sum, one) => sum + (one.wallet === index ? one.amount : 0), 0),
      })),
      limits: this.state.limits.map((limit) => ({
        ...limit,
        spent: Number(
          spent.find(
            ({ wallet, reason }) =>
              wallet === this.walletId(limit.wallet) && (reason ?? null) === limit.reason,
          )?.['spent'] ?? 0,
        ),
      })),
      holds,
      entries,
      keys,
    };
  }
}

function place(known: readonly string[], id: string): number {
  const found = known.indexOf(id);
  return found < 0 ? known.length : found;
}

const ENTRIES = `
  SELECT id::text, transaction_id::text AS tx, wallet_id::text AS wallet, amount::text, reason,
         counterparty_wallet_id::text AS counterparty, hold_id::text AS hold, balance_after::text AS after,
         reverses_entry_id::text AS reverses, idempotency_key AS key
    FROM trueup.entries AS e WHERE wallet_id = ANY ($1::bigint[]) ORDER BY e.id`;
const HOLDS = `
  SELECT id::text, wallet_id AS wallet, amount::text, captured::text, state, reason,
         idempotency_key AS key, release_key
    FROM trueup.holds AS h WHERE wallet_id = ANY ($1::text[]) ORDER BY h.created_at, h.id`;
const SPENT = `
  SELECT s.wallet_id AS wallet, l.reason, s.spent::text
    FROM trueup.spending AS s JOIN trueup.spending_limits AS l ON l.id = s.limit_id
   WHERE s.wallet_id = ANY ($1::text[])`;
