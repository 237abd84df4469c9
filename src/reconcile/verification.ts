import type { Finding } from '../core/drift.js';
import type { ResolvedMapping } from '../mapping/model.js';
import type { Database, Queryable } from '../postgres/database.js';
import * as statements from './statements.js';

/**
 * Whether a run over all wallets leaves every cache right. Then that is on record, and whatever is
 * found wrong later did not come with the adoption.
 */
export class Verification {
  readonly #ledger: string;
  readonly #since: string;
  #leftWrong = false;

  private constructor(ledger: string, since: string) {
    this.#ledger = ledger;
    this.#since = since;
  }

  /**
   * Begins before the first wallet is looked at: what happens while the run is under way may come
   * after its wallet was checked, so it must not count as settled. Nor may what is still open now.
   */
  static async begin(session: Queryable, mapping: ResolvedMapping): Promise<Verification> {
    const [row] = await session.query<{ since: string }>(statements.settledSince);
    return new Verification(mapping.ledger.table.quoted, row?.since ?? '-infinity');
  }

  /**
   * Hears of what the run has found. A wrong running balance is no cache; and coins without history
   * stay what they are, whenever they are looked at.
   */
  see(findings: readonly Finding[]): void {
    this.#leftWrong ||= findings.some(
      ({ repaired, field, cause }) =>
        !repaired && field !== 'balanceAfter' && cause !== 'no_history',
    );
  }

  /** Ends after the last wallet. */
  async end(database: Database): Promise<void> {
    if (this.#leftWrong) return;
    await database.query(statements.markVerified(this.#ledger, this.#since));
  }
}
