import { afterAll, beforeEach } from 'vitest';
import { deliverAlerts, type Delivery } from '../../src/operations/alerts/deliver.js';
import type { Hook } from '../../src/operations/alerts/hooks.js';
import { Database } from '../../src/postgres/database.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { LEDGER } from './support.js';

/** An outbox of alerts, empty before every test, of a ledger that has always had hooks. */
export interface Outbox {
  readonly db: TestDatabase;
  readonly database: Database;
  /** Puts an alert into it. `ago` is how long ago it was raised, as PostgreSQL reads it. */
  readonly raise: (message?: string, ago?: string) => Promise<void>;
  /** Delivers what is not delivered yet; nobody waits for another attempt. */
  readonly deliver: (...hooks: Hook[]) => Promise<Delivery[]>;
  readonly undelivered: () => Promise<string>;
}

/** To be called at the top of a file. */
export async function createOutbox(): Promise<Outbox> {
  const db = await createDatabase('own');
  const database = await Database.open({
    connection: { connectionString: db.url },
    applicationName: 'trueup test',
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await db.run('TRUNCATE trueup.alerts, trueup.alert_hooks RESTART IDENTITY');
    await db.run(`INSERT INTO trueup.alert_hooks VALUES ($1, '-infinity')`, [LEDGER]);
  });
  return {
    db,
    database,
    raise: (message = 'something drifted', ago = '0') =>
      db.run(
        `INSERT INTO trueup.alerts (ledger, kind, message, body, raised_at)
         VALUES ($1, 'drift', $2, $3, clock_timestamp() - $4::interval)`,
        [LEDGER, message, BODY, ago],
      ),
    deliver: async (...hooks) => {
      await db.run('UPDATE trueup.alerts SET next_attempt_at = clock_timestamp()');
      const deliveries: Delivery[] = [];
      await deliverAlerts(database, LEDGER, hooks, {
        onDelivery: (delivery) => deliveries.push(delivery),
      });
      return deliveries;
    },
    undelivered: () =>
      db.value('SELECT count(*)::text FROM trueup.alerts WHERE delivered_at IS NULL'),
  };
}

const BODY = {
  severity: 'warning',
  openedAt: '2026-11-25T03:00:00Z',
  details: { drifted: 3 },
};
