import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Session, Statement } from '../postgres/database.js';
import { isConnectionFailure } from '../postgres/failures.js';
import {
  newTransactions,
  postAhead,
  seeWallets,
  type AheadRow,
  type SeenRow,
} from './ahead-statements.js';
import { explainFailure } from './failures.js';
import { apartByWallet, guessOf, knownUnits, simpleUnits, type Guess } from './guess.js';
import { namesOf, rulesOf, toWallet } from './load.js';
import { findLost } from './lost.js';
import { UNFIT_FOR, WalletMemory, type Remembered } from './memory.js';
import { concludePlan, type ItemOutcome } from './outcomes.js';
import { countItems, itemsOf, resolveAll, type Unit } from './unit.js';
import { wantedBy } from './wanted.js';

/** After batches that were mostly stale so many are posted under locks only, at most. */
const LONGEST_REST = 64;

/** Two statements for what others have not touched, and the locks decide. */
const ATTEMPTS = 2;

/** A guess that is sent to the database, to be verified and written. */
interface Attempt extends Guess {
  readonly transactionIds: readonly string[];
}

/**
 * Posts credits, debits and transfers in one round trip: it decides ahead, on what it remembers of the
 * wallets, and one statement locks them, compares their versions and inserts. Whatever cannot be
 * posted so is left to the path under locks, refusals too: an entry proves by its number that it was
 * decided on the last one before it, and a refusal has no entry.
 */
export class AheadPoster {
  readonly #database: Database;
  readonly #mapping: ResolvedMapping;
  readonly #memory = new WalletMemory();
  readonly #rules: ReturnType<typeof rulesOf>;
  /** Without a transaction id an entry could not be told from a similar one, if an answer is lost. */
  readonly #possible: boolean;
  #transactionIds: string[] = [];
  /** Transactions of the largest batch so far: for two like it, ids are kept in store. */
  #largest = 0;
  #rest = 0;
  #nextRest = 1;

  constructor(database: Database, mapping: ResolvedMapping) {
    this.#database = database;
    this.#mapping = mapping;
    this.#rules = rulesOf(mapping);
    const newId = mapping.ledger.transaction?.defaultSql ?? null;
    this.#possible = mapping.numbered && newId !== null;
  }

  /**
   * Forgets everything. To be called when a connection is found broken: a server that came back may
   * have lost commits, and gives out their ids again.
   */
  forget(): void {
    this.#memory.clear();
    this.#transactionIds = [];
  }

  /** Under locks these outcomes came about: their wallets are not as they were. */
  changed(outcomes: readonly ItemOutcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.status === 'refused' || outcome.replayed) continue;
      const changed = outcome.status === 'posted' ? outcome.entries : [outcome.hold];
      for (const { walletId } of changed) {
        this.#memory.forget(walletId);
      }
    }
  }

  /** Answers the units that it can post. @returns the others, in their order */
  async post(units: readonly Unit[]): Promise<readonly Unit[]> {
    if (!this.#possible) return units;
    if (this.#rest > 0) {
      this.#rest -= 1;
      return units;
    }
    const chosen = simpleUnits(this.#memory, units);
    const answered = new Set<Unit>();
    const sent: { attempt?: Attempt } = {};
    try {
      await this.#database.session((session) => this.#try(session, chosen, { answered, sent }));
    } catch (error) {
      // Whatever it was, the path under locks meets it again, and says so.
      const { attempt } = sent;
      if (attempt !== undefined) {
        this.#forgetAll(attempt.wallets);
        if (isConnectionFailure(error)) await this.#lookUp(attempt, answered);
      }
    }
    return units.filter((unit) => !answered.has(unit));
  }

  async #try(
    session: Session,
    units: readonly Unit[],
    outcome: { readonly answered: Set<Unit>; readonly sent: { attempt?: Attempt } },
  ): Promise<void> {
    let now = units;
    for (let attempts = 0; attempts < ATTEMPTS && now.length > 0; attempts += 1) {
      await this.#prepare(session, now);
      const { generation } = this.#memory;
      const attempt = this.#decide(knownUnits(this.#memory, now));
      if (attempt === undefined) return;
      outcome.sent.attempt = attempt;
      const [row] = await session.query<AheadRow>(this.#statement(attempt));
      delete outcome.sent.attempt;
      if (row === undefined) return;
      if (generation === this.#memory.generation) this.#transactionIds.push(...row.transactions);
      if (row.posted) {
        if (generation === this.#memory.generation) this.#remember(attempt, row.version);
        this.#nextRest = 1;
        this.#answer(attempt, row.entryIds ?? [], outcome.answered);
        return;
      }
      now = this.#withoutStale(attempt, row);
    }
  }

  /** Reads the wallets that are not remembered, and new transaction ids. Nothing is locked for it. */
  async #prepare(session: Session, units: readonly Unit[]): Promise<void> {
    const unknown = units.filter(({ touches }) => {
      const strange = touches.filter((name) => this.#memory.get(name) === undefined);
      for (const name of strange) this.#memory.forgetName(name);
      return strange.length > 0;
    });
    const missing = countItems(units) - this.#transactionIds.length;
    const wanted = wantedBy(this.#mapping, itemsOf(unknown));
    const [rows, ids] = await Promise.all([
      unknown.length > 0 ? session.query<SeenRow>(seeWallets(this.#mapping, wanted)) : [],
      missing > 0 ? session.query<{ id: string }>(newTransactions(this.#mapping, missing)) : [],
    ]);
    for (const { id } of ids) this.#transactionIds.push(id);
    const unfitUntil = performance.now() + UNFIT_FOR;
    if (rows[0] !== undefined) this.#memory.setServer(rows[0].server);
    for (const row of rows) {
      const { version, pending, special } = row;
      const head = { ...row, balance: row.headBalance, overdue: null };
      this.#memory.remember(namesOf(row), {
        state: toWallet(this.#mapping, row, head),
        ...{ version, pending, special },
        unfitUntil: row.unfit ? unfitUntil : null,
      });
    }
  }

  #decide(units: readonly Unit[]): Attempt | undefined {
    const guess = guessOf(this.#memory, this.#rules, units);
    if (guess === undefined) return undefined;
    const { transactions } = guess.plan;
    this.#largest = Math.max(this.#largest, transactions);
    const transactionIds = this.#transactionIds.splice(0, transactions);
    return transactionIds.length < transactions ? undefined : { ...guess, transactionIds };
  }

  #statement({ plan, wallets, users, units, transactionIds }: Attempt): Statement {
    const keys = new Set<string>();
    for (const { items } of units) {
      for (const { item } of items) {
        if (item.idempotencyKey !== undefined) keys.add(item.idempotencyKey);
      }
    }
    return postAhead(this.#mapping, {
      server: this.#memory.server,
      wallets,
      users,
      keys: [...keys],
      entries: plan.entries,
      transactions: transactionIds,
      reserve: Math.max(2 * this.#largest - this.#transactionIds.length, 0),
    });
  }

  #remember({ plan, wallets }: Attempt, version: string): void {
    const after = new Map(plan.wallets.map((state) => [state.walletId, state]));
    for (const wallet of wallets) {
      const state = after.get(wallet.state.walletId);
      if (state === undefined) continue;
      wallet.state = state;
      wallet.version = version;
    }
  }

  #answer(
    { plan, units, transactionIds }: Attempt,
    entryIds: readonly string[],
    answered: Set<Unit>,
  ): void {
    resolveAll(units, concludePlan(plan, { entryIds, transactionIds }));
    for (const unit of units) answered.add(unit);
  }

  /** Forgets what was stale. @returns the units that do not depend on it, nor on a key that was used */
  #withoutStale({ units, wallets }: Attempt, row: AheadRow): readonly Unit[] {
    const fresh = new Set(row.fresh);
    const used = new Set(row.used);
    const stale = wallets.filter(({ state }) => !fresh.has(state.walletId));
    if (row.restarted) this.forget();
    this.#forgetAll(row.limited ? wallets : stale);
    if (2 * stale.length > wallets.length) {
      this.#rest = this.#nextRest;
      this.#nextRest = Math.min(2 * this.#nextRest, LONGEST_REST);
      return [];
    }
    if (row.restarted || row.limited || stale.length + used.size === 0) return [];
    const good = ({ touches, items }: Unit): boolean =>
      touches.every((name) => this.#memory.get(name) !== undefined) &&
      items.every(
        ({ item }) => item.idempotencyKey === undefined || !used.has(item.idempotencyKey),
      );
    return apartByWallet(this.#memory, units, good);
  }

  #forgetAll(wallets: readonly Remembered[]): void {
    for (const { state } of wallets) this.#memory.forget(state.walletId);
  }

  /** Finds out what became of a statement whose answer was lost. */
  async #lookUp(attempt: Attempt, answered: Set<Unit>): Promise<void> {
    const { units, plan, transactionIds, wallets } = attempt;
    const walletIds = wallets.map(({ state }) => state.walletId);
    try {
      const sent = { plan, transactionIds, walletIds, nowText: null };
      const found = await findLost(this.#database, this.#mapping, sent);
      if (found === undefined) return;
      resolveAll(units, found);
    } catch (error) {
      for (const { reject } of units) reject(explainFailure(this.#mapping, error));
    }
    for (const unit of units) answered.add(unit);
  }
}
