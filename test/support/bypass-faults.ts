import { vi } from 'vitest';
import pg from 'pg';
import type { TestDatabase } from './database.js';
import { onLedger, onWallet, where, type Fault } from './fault-list.js';
import { run, steps, type Injection } from './injections.js';
import { namesOf, unseen, type Stage } from './stages.js';

/** What passes the triggers by, or the guard, one row of docs/faults.md each. */

const schemaOf = (stage: Stage): string => (namesOf(stage)['ledger'] ?? '').split('.')[0] ?? '';

/** A trigger of the application on one of the tables. */
function ownTrigger(
  table: 'ledger' | 'wallet',
  when: string,
  body: (names: Readonly<Record<string, string>>) => string,
): Injection['inject'] {
  return run((stage) => {
    const names = namesOf(stage);
    const called = `${schemaOf(stage)}.of_the_application()`;
    return `CREATE FUNCTION ${called} RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body(names)} RETURN NEW; END $$;
            CREATE TRIGGER zzz_of_the_application ${when} ON ${names[table] ?? ''} FOR EACH ROW EXECUTE FUNCTION ${called}`;
  });
}

const addsToBalance = onWallet(({ balance = '' }) => `${balance} = ${balance} + 17`);

/** A role with every right on the tables, of the application and of Trueup, that owns none of them. */
async function strangerTo(stage: Stage): Promise<{ readonly name: string; readonly url: string }> {
  const role = await stage.db.role();
  for (const schema of new Set([schemaOf(stage), 'trueup'])) {
    await stage.db.run(`GRANT ALL ON SCHEMA ${schema} TO ${role.name};
                        GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role.name};
                        GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role.name};
                        GRANT ALL ON ALL FUNCTIONS IN SCHEMA ${schema} TO ${role.name}`);
  }
  return role;
}

const LEDGER_BYPASSES: readonly Fault[] = [
  {
    name: 'entries where the database sets `session_replication_role = replica`',
    inject: async (stage) => {
      const { name } = stage.db;
      await stage.db.run(`ALTER DATABASE ${name} SET session_replication_role = replica`);
      const client = await stage.db.connect();
      await client.query(stage.entry(701));
      await client.end();
    },
    undo: ({ db }) => db.run(`ALTER DATABASE ${db.name} RESET session_replication_role`),
  },
  {
    name: 'entries while the triggers fire for replication only',
    inject: steps(
      onLedger(({ ledger = '' }) => `ALTER TABLE ${ledger} ENABLE REPLICA TRIGGER trueup_sync`),
      run((stage) => stage.entry(907)),
    ),
  },
  {
    name: 'entries after the function of the triggers was replaced',
    inject: steps(
      onLedger(
        ({ ledger = '' }) => `DO $do$ BEGIN
          EXECUTE (SELECT format('CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE plpgsql AS %L',
                                 t.tgfoid::regprocedure, 'BEGIN RETURN NULL; END')
                     FROM pg_trigger t WHERE t.tgrelid = '${ledger}'::regclass AND t.tgname = 'trueup_sync'); END $do$`,
      ),
      run((stage) => stage.entry(907)),
    ),
  },
  {
    name: 'entries in a table that inherits from the ledger',
    inject: steps(
      run(
        (stage) =>
          `CREATE TABLE ${schemaOf(stage)}.more (id bigint DEFAULT 1000000) INHERITS (${namesOf(stage)['ledger'] ?? ''})`,
      ),
      run((stage) =>
        stage.entry(907).replace(/INSERT INTO \S+/, `INSERT INTO ${schemaOf(stage)}.more`),
      ),
    ),
  },
  {
    name: 'an entry is given to another wallet',
    inject: onLedger(
      ({ ledger = '', entryWallet = '' }, stage) =>
        `UPDATE ${ledger} SET ${entryWallet} = ${stage.emptyWalletId} WHERE ${where(stage, 2003)}`,
    ),
  },
  {
    name: 'an entry is edited by `INSERT ... ON CONFLICT DO UPDATE`',
    inject: onLedger(
      ({ ledger = '', entryId = '', amount = '' }, stage) => `
        INSERT INTO ${ledger} OVERRIDING SYSTEM VALUE SELECT * FROM ${ledger} WHERE ${where(stage, 2003)}
            ON CONFLICT (${entryId}) DO UPDATE SET ${amount} = 1499`,
    ),
  },
  {
    name: 'amounts are rewritten by `ALTER TABLE`',
    inject: onLedger(
      ({ ledger = '', amount = '' }) =>
        `ALTER TABLE ${ledger} ALTER ${amount} TYPE bigint USING ${amount} + 1`,
    ),
  },
  {
    name: 'policies hide profiles from the owner of the triggers',
    inject: async (stage) => {
      const { ledger = '', profile = '' } = namesOf(stage);
      const { name } = await strangerTo(stage);
      await stage.db.run(`
        ALTER TABLE ${profile} ENABLE ROW LEVEL SECURITY;
        DO $do$ BEGIN
          EXECUTE (SELECT format('ALTER FUNCTION %s OWNER TO ${name}', t.tgfoid::regprocedure)
                     FROM pg_trigger t WHERE t.tgrelid = '${ledger}'::regclass AND t.tgname = 'trueup_sync'); END $do$`);
      await stage.db.run(stage.entry(601));
    },
  },
  {
    name: 'policies hide entries from the role that looks',
    inject: onLedger(
      ({ ledger = '', amount = '' }) => `
        ALTER TABLE ${ledger} ENABLE ROW LEVEL SECURITY;
        CREATE POLICY part ON ${ledger} USING (${amount} > 0)`,
    ),
    seenBy: async (stage) => {
      const { url } = await strangerTo(stage);
      const { config } = stage;
      return { ...stage, trueup: await stage.db.trueup({ databaseUrl: url, config }) };
    },
  },
];

const CACHE_BYPASSES: readonly Fault[] = [
  {
    name: 'somebody writes a balance in a session with `session_replication_role = replica`',
    inject: run((stage) => `SET LOCAL session_replication_role = replica; ${writesBalance(stage)}`),
  },
  {
    name: 'somebody writes a balance and says that he is Trueup',
    inject: run((stage) => `SET LOCAL trueup.writer = 'trueup'; ${writesBalance(stage)}`),
  },
  {
    name: 'somebody writes a balance while the guard is disabled',
    inject: steps(
      run((stage) => `ALTER TABLE ${namesOf(stage)['wallet'] ?? ''} DISABLE TRIGGER USER`),
      addsToBalance,
    ),
  },
  {
    name: 'somebody writes a balance in a table that inherits from the wallets',
    inject: run((stage) => {
      const { wallet = '', balance = '' } = namesOf(stage);
      const more = `${schemaOf(stage)}.more`;
      return `CREATE TABLE ${more} () INHERITS (${wallet});
              INSERT INTO ${more} SELECT (jsonb_populate_record(w, '{"id": 99, "profile_id": null}')).*
                FROM ${wallet} AS w WHERE w.id = ${stage.emptyWalletId};
              UPDATE ${wallet} SET ${balance} = 17 WHERE id = 99`;
    }),
  },
  {
    name: 'a trigger of the application adds the entry to the wallet too',
    inject: steps(
      ownTrigger(
        'ledger',
        'AFTER INSERT',
        ({ wallet = '', balance = '', amount = '', entryWallet = '' }) =>
          `UPDATE ${wallet} SET ${balance} = ${balance} + NEW.${amount} WHERE id = NEW.${entryWallet};`,
      ),
      run((stage) => stage.entry(809)),
    ),
  },
  {
    name: 'a trigger behind the guard changes what is written',
    inject: steps(
      ownTrigger(
        'wallet',
        'BEFORE UPDATE',
        ({ balance = '' }) => `NEW.${balance} := NEW.${balance} + 17;`,
      ),
      addsToBalance,
    ),
  },
  {
    name: 'a wallet is created with coins and no entry',
    inject: run((stage) => {
      const { wallet = '', balance = '' } = namesOf(stage);
      return `INSERT INTO ${wallet}
              SELECT (jsonb_populate_record(w, '{"id": 99, "profile_id": null, ${balance}: 90}')).*
                FROM ${wallet} AS w WHERE w.id = ${stage.emptyWalletId}`;
    }),
  },
  {
    name: 'a wallet that has entries is deleted',
    inject: run(
      (stage) => `DELETE FROM ${namesOf(stage)['wallet'] ?? ''} WHERE id = ${stage.walletId}`,
    ),
  },
];

function writesBalance(stage: Stage): string {
  const { wallet = '', balance = '' } = namesOf(stage);
  return `UPDATE ${wallet} SET ${balance} = ${balance} + 17 WHERE id = ${stage.walletId}`;
}

export const BYPASSES: readonly Fault[] = [...LEDGER_BYPASSES, ...CACHE_BYPASSES];

/** Entries that a subscription brings. Both databases are on a server whose wal_level is logical. */
export function replicated(database: TestDatabase, source: TestDatabase): Fault {
  return {
    name: 'entries that logical replication brings',
    database,
    inject: async (stage) => {
      const { ledger = '' } = namesOf(stage);
      const count = (): Promise<string> => stage.db.value(`SELECT count(*) FROM ${ledger}`);
      const row = await rowOf(stage);
      await publish(source, stage);
      const before = await count();
      await stage.db
        .run(`CREATE SUBSCRIPTION feed CONNECTION '${keywords(source.url)}' PUBLICATION feed
          WITH (create_slot = false, slot_name = 'feed', copy_data = false)`);
      await source.run(
        `INSERT INTO ${ledger} SELECT * FROM jsonb_populate_record(NULL::${ledger}, $1)`,
        [row],
      );
      await vi.waitUntil(async () => (await count()) !== before, { timeout: 30_000 });
    },
    undo: async (stage) => {
      await stage.db.run('ALTER SUBSCRIPTION feed DISABLE');
      await stage.db.run('ALTER SUBSCRIPTION feed SET (slot_name = NONE)');
      await stage.db.run('DROP SUBSCRIPTION feed');
      await source.run(
        `SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = 'feed' AND active`,
      );
      await source.run(`SELECT pg_drop_replication_slot('feed'); DROP PUBLICATION feed`);
    },
  };
}

/** An entry as it would stand in the ledger: written where nobody sees it, and taken back. */
async function rowOf(stage: Stage): Promise<string> {
  const { ledger = '', entryId = '' } = namesOf(stage);
  const client = await stage.db.connect();
  await client.query(unseen(stage.entry(701)).replace(/COMMIT$/, ''));
  const { rows } = await client.query<{ row: string }>(
    `SELECT to_jsonb(e)::text AS row FROM ${ledger} AS e ORDER BY e.${entryId} DESC LIMIT 1`,
  );
  await client.query('ROLLBACK');
  await client.end();
  return rows[0]?.row ?? '';
}

/** Makes a table like the ledger elsewhere, without anything that would keep or change rows. */
async function publish(source: TestDatabase, stage: Stage): Promise<void> {
  const { ledger = '' } = namesOf(stage);
  const columns = await stage.db.value(
    `SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
       FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [ledger],
  );
  const schema = schemaOf(stage);
  await source.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema};
                    CREATE TABLE ${ledger} (${columns}); CREATE PUBLICATION feed FOR TABLE ${ledger}`);
  await source.run(`SELECT pg_create_logical_replication_slot('feed', 'pgoutput')`);
}

/** A URL as the server itself understands it. */
function keywords(url: string): string {
  const { host, port, user, database } = new pg.Client(url);
  return `host=${host} port=${String(port)} user=${user ?? ''} dbname=${database ?? ''}`;
}
