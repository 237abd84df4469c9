import type { Mapping, ReconcileOptions, ReconcileSummary } from '../../src/index.js';
import type { TestDatabase } from './database.js';
import { createEconomy, type Economy } from './economy.js';
import { built, Program } from './program.js';

/**
 * Twelve wallets with every kind of drift that a run can meet, made anew as often as wanted: caches to
 * overwrite, a wallet without history, one whose repair the database refuses, a broken chain, profile
 * rows that are missing, entries without wallet, and a profile without one.
 */
export class Drifted {
  readonly #db: TestDatabase;
  readonly economy: Economy;

  private constructor(db: TestDatabase, economy: Economy) {
    this.#db = db;
    this.economy = economy;
  }

  static async create(db: TestDatabase): Promise<Drifted> {
    const economy = await createEconomy(db, 0, { foreignKeys: false, balanceAfter: true });
    await db.run(`
      CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'wallet 8 is refused'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON app.wallet FOR EACH ROW
        WHEN (NEW.id = 8) EXECUTE FUNCTION app.refuse()`);
    return new Drifted(db, economy);
  }

  get mapping(): Mapping {
    return this.economy.mapping;
  }

  /** Puts everything back as it was, in new rows. */
  async reset(): Promise<void> {
    await this.#db.run(`
      TRUNCATE app.ledger, app.wallet, app.profile RESTART IDENTITY;
      INSERT INTO app.profile (id, user_id, shown, earned)
        SELECT 100 + n, n, 9 * n, 10 * n FROM generate_series(1, 13) n WHERE n NOT IN (6, 10, 11, 13)
        UNION ALL VALUES (106, 6, 0, 0), (113, 13, 5, 0);
      INSERT INTO app.wallet (id, profile_id, balance, earned)
        SELECT n, 100 + n, 9 * n, 10 * n FROM generate_series(1, 12) n WHERE n <> 6
        UNION ALL VALUES (6, 106, 50, 0);
      INSERT INTO app.ledger (wallet_id, amount, after)
        SELECT n, 10 * n, 10 * n FROM generate_series(1, 12) n WHERE n <> 6
        UNION ALL SELECT n, -n, CASE WHEN n = 9 THEN 1 ELSE 9 * n END FROM generate_series(1, 12) n WHERE n <> 6
        UNION ALL VALUES (99, 5, 5);
      ALTER TABLE app.wallet DISABLE TRIGGER refuse;
      UPDATE app.wallet SET balance = balance + 7 WHERE id IN (1, 9, 10);
      UPDATE app.wallet SET balance = 0, earned = 0 WHERE id = 4;
      UPDATE app.wallet SET earned = earned + 1 WHERE id = 7;
      UPDATE app.wallet SET balance = 0 WHERE id = 8;
      ALTER TABLE app.wallet ENABLE TRIGGER refuse;
      UPDATE app.profile SET shown = shown - 3, earned = earned + 2 WHERE id = 103;
      UPDATE app.profile SET shown = 0, earned = 0 WHERE id = 104;`);
  }

  /** Everything that is cached, as one text. */
  caches(): Promise<string> {
    return this.#db.value(`
      SELECT string_agg(line, E'\\n' ORDER BY line)
        FROM (SELECT concat_ws(' ', 'wallet', id, balance, earned) AS line FROM app.wallet
              UNION ALL SELECT concat_ws(' ', 'profile', id, shown, earned) FROM app.profile) AS c`);
  }

  /** The ledger, as one hash. */
  ledger(): Promise<string> {
    return this.#db.value(`SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM app.ledger AS l`);
  }

  /** The versions of all rows: another text as soon as anybody has written any of them. */
  versions(): Promise<string> {
    return this.#db.value(`
      SELECT md5(string_agg(line, ',' ORDER BY line))
        FROM (SELECT concat('w', id, ctid, xmin) AS line FROM app.wallet
              UNION ALL SELECT concat('p', id, ctid, xmin) FROM app.profile
              UNION ALL SELECT concat('l', id, ctid, xmin) FROM app.ledger) AS v`);
  }

  /** What a run has recorded, without what is different each time. */
  async records(runId: string): Promise<{ repairs: string[]; findings: string[] }> {
    const repairs = await this.#db.rows<{ line: string }>(
      `SELECT concat_ws(' ', wallet_id, part, field, before, after, delta, cause) AS line
         FROM trueup.repaired_caches WHERE run_id = $1 ORDER BY 1`,
      [runId],
    );
    const findings = await this.#db.rows<{ line: string }>(
      `SELECT concat_ws(' ', state, wallet_id, profile_id, part, field, cached, expected, delta, cause) AS line
         FROM trueup.findings WHERE run_id = $1 ORDER BY 1`,
      [runId],
    );
    return {
      repairs: repairs.map(({ line }) => line),
      findings: findings.map(({ line }) => line),
    };
  }

  /** Runs reconcile in a process of its own, with a failpoint. */
  runElsewhere(options: ReconcileOptions, failpoint: string): Program {
    const given = [this.#db.url, this.mapping, options, failpoint].map((one) =>
      typeof one === 'string' ? one : JSON.stringify(one),
    );
    return new Program(RUN, ...given);
  }

  /** Waits until the server has noticed that a process is gone. */
  async gone(): Promise<void> {
    for (let sessions = '1'; sessions !== '0';) {
      sessions = await this.#db.value(
        `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'elsewhere'`,
      );
    }
  }
}

const RUN = `
  import { openTrueup } from ${built('index.js')};
  const [databaseUrl, config, options, failpoint] = process.argv.slice(1);
  process.env.TRUEUP_FAILPOINT = failpoint;
  const trueup = await openTrueup({
    databaseUrl, config: JSON.parse(config), healer: false, applicationName: 'elsewhere',
  });
  console.log(JSON.stringify(await trueup.reconcile(JSON.parse(options))));
  await trueup.close();`;

/** The counts of a summary: what has to be the same however often the run was interrupted. */
export function countsOf(summary: ReconcileSummary): object {
  const { checked, drifted, balanceDrifts, earningsDrifts, findings, repaired } = summary;
  const { skipped, errors, review, critical } = summary;
  return {
    ...{ checked, drifted, balanceDrifts, earningsDrifts, findings, repaired },
    ...{ skipped, errors, review, critical },
  };
}
