import { read, readText } from '../core/arguments.js';
import type { DoctorOptions, DoctorReport } from '../doctor/model.js';
import { examine } from '../doctor/run.js';
import { planMigration } from '../postgres/migrate.js';
import { explain, type BalanceStory, type ExplainRequest } from '../reconcile/explain.js';
import { heal, type HealResult } from '../reconcile/heal.js';
import {
  findOpeningBalances,
  type FindOpeningOptions,
  type OpeningPlan,
} from '../reconcile/opening.js';
import {
  postOpeningBalances,
  refuseObstacles,
  type OpeningSummary,
  type PostOpeningOptions,
} from '../reconcile/opening-post.js';
import * as services from '../reconcile/services.js';
import { backfillActivity, type BackfilledActivity } from '../sync/activity.js';
import { carryAll, type CarryResult } from '../sync/carry.js';
import { installSync, planSync, removeSync, type SyncChange } from '../sync/install.js';
import type { InstallOptions } from '../sync/options.js';
import { hasSync, syncStatus, type SyncStatus } from '../sync/sync.js';
import {
  BACKFILL,
  EXPLAIN,
  FIND_OPENING,
  INSTALL,
  POST_OPENING,
  PLAN,
  type BackfillOptions,
} from './care-options.js';
import { schemaParts } from './connect.js';
import { HEAL, type HealOptions } from './options.js';
import { Settings } from './settings.js';

/** What keeps caches right, and says why one was not: triggers, checks, repairs, explanations. */
export abstract class Care<
  Events extends Record<keyof Events, unknown[]>,
> extends Settings<Events> {
  /** Makes a wallet's caches and its profile's what the ledger says. */
  syncWalletToProfile(walletId: string): Promise<services.SyncResult> {
    return this.change(async ({ database, mapping }) =>
      services.syncWalletToProfile(database, mapping, readText(walletId, 'walletId')),
    );
  }

  /** The same for a user's wallet; null where he has none. */
  syncProfileByUserId(userId: string): Promise<services.SyncResult | null> {
    return this.change(async ({ database, mapping }) =>
      services.syncProfileByUserId(database, mapping, readText(userId, 'userId')),
    );
  }

  /** Compares ledger, wallet and profile exactly. Reads only. */
  getBalanceDrift(walletId: string): Promise<services.BalanceDrift> {
    return this.ask(async ({ database, mapping }) =>
      services.getBalanceDrift(database, mapping, readText(walletId, 'walletId')),
    );
  }

  /** Rebuilds lifetime earnings from the ledger and returns them. */
  recomputeLifetimeEarnings(walletId: string): Promise<bigint> {
    return this.change(async ({ database, mapping }) =>
      services.recomputeLifetimeEarnings(database, mapping, readText(walletId, 'walletId')),
    );
  }

  /**
   * Tells why the balance of a user, or of one wallet, is what it is: what each part says, what is on
   * record about it, the cause of each difference, and what reconcile would do. Reads only.
   *
   * @throws TrueupError also `user_not_found`, `wallet_not_found`, `invalid_argument`, `feature_off`
   */
  explain(request: ExplainRequest): Promise<BalanceStory> {
    return this.ask(async ({ database, mapping }) =>
      explain(database, mapping, read(EXPLAIN, request)),
    );
  }

  /**
   * Finds wallets that hold coins and have no history at all, and says what an opening entry for each
   * would do. Reads only.
   */
  findOpeningBalances(options: FindOpeningOptions = {}): Promise<OpeningPlan> {
    return this.ask(async ({ database, mapping }) =>
      findOpeningBalances(database, mapping, read(FIND_OPENING, options)),
    );
  }

  /**
   * Posts the opening entries of a plan; the balance of every wallet stays what it is. Interrupted and
   * begun again with a new plan, it posts what is still missing.
   *
   * @throws TrueupError `feature_off` where columns of the ledger are filled by nobody
   */
  async postOpeningBalances(
    plan: OpeningPlan,
    options: PostOpeningOptions = {},
  ): Promise<OpeningSummary> {
    const planned = read(PLAN, plan);
    const asked = read(POST_OPENING, options);
    refuseObstacles(planned); // Also where nothing may be written, so that a person learns of them.
    return this.change(({ database, mapping }) =>
      postOpeningBalances(database, mapping, planned, asked),
    );
  }

  /**
   * Installs the triggers of the mapping, or makes them what the options say: what is not asked for is
   * not there afterwards. With `deferred`, profiles are only marked in the commit, and carried by an open
   * Trueup (not one without healer) within a second; leaving that mode carries what is still marked.
   */
  async installSync(options: InstallOptions = {}): Promise<SyncChange> {
    const asked = read(INSTALL, options);
    const change = await this.change(({ database, mapping, source }) =>
      installSync(database, mapping, source, asked),
    );
    if (asked.deferred === true) this.wakeCarrier();
    else await this.carry();
    return change;
  }

  /** Has the background carrier look for marks, where there is one. */
  protected abstract wakeCarrier(): void;

  /** Carries every profile that is marked now, and waits for it. An open Trueup does this by itself. */
  carry(): Promise<CarryResult> {
    return this.change(({ database, mapping }) => carryAll(database, mapping));
  }

  /**
   * The SQL that installing would run, to the letter: with what is missing of Trueup's own schema, and
   * {@link installSync}; or that of {@link removeSync}. It only reads.
   */
  planSync(options: InstallOptions | 'remove' = {}): Promise<string> {
    return this.ask(async ({ database, mapping, source }) => {
      if (options === 'remove') return planSync(database, mapping, source, options);
      const asked = read(INSTALL, options);
      const triggers = await planSync(database, mapping, source, asked);
      return (await planMigration(database, schemaParts(source))) + triggers;
    });
  }

  /**
   * Removes every trigger and function of the mapping, and carries what is still marked; what was
   * recorded stays.
   */
  async removeSync(): Promise<SyncChange> {
    const change = await this.change(({ database, mapping }) => removeSync(database, mapping));
    await this.carry();
    return change;
  }

  /**
   * Writes the events of entries that have none in the application's activity table, such as those from
   * before the adoption. It reads the whole ledger; doing it again writes nothing twice.
   *
   * @throws TrueupError `feature_off` where the mapping has no activity
   */
  backfillActivity(options: BackfillOptions = {}): Promise<BackfilledActivity> {
    return this.change(async ({ database, mapping }) =>
      backfillActivity(database, mapping, read(BACKFILL, options)),
    );
  }

  /** Whether there is anything that {@link removeSync} would take away. Any role may ask. */
  hasSync(): Promise<boolean> {
    return this.ask(({ database, mapping }) => hasSync(database, mapping));
  }

  /** Whether the sync triggers stand, and how many failures wait for the healer. */
  syncStatus(): Promise<SyncStatus> {
    return this.ask(({ database, mapping }) => syncStatus(database, mapping));
  }

  /**
   * Looks at everything that the caches rely on: triggers, indexes, sessions, rights, what waits. Each
   * finding says what, why it matters, and the command that mends it. Reads only.
   *
   * @throws TrueupError `invalid_argument`, `database_unreachable`
   */
  doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
    return this.ask(({ database, source }) =>
      examine(database, { mapping: source, source: 'the mapping' }, options),
    );
  }

  /** Takes up recorded sync failures and missed events now. */
  heal(options: HealOptions = {}): Promise<HealResult> {
    return this.change(async ({ database, mapping }) =>
      heal(database, mapping, read(HEAL, options)),
    );
  }
}
