import { runTrueup, type CliRun, type JsonLine } from '../support/cli.js';
import type { TestDatabase } from '../support/database.js';
import { example } from './fixture.js';

/** The platform that UP-M3 is about, for the tests that adopt it through the program alone. */

export const deltacrown = example('deltacrown');

/** What can be done with the platform in one database. */
export interface Platform {
  /** The state that UP-M3 found, and no Trueup. */
  readonly load: () => Promise<void>;
  /** Runs the program with the platform's mapping. */
  readonly trueup: (words: string, databaseUrl?: string) => Promise<CliRun>;
  /** What every player is shown, as `user balance earnings`. */
  readonly shown: () => Promise<string[]>;
}

export function platformIn(db: TestDatabase): Platform {
  return {
    load: async () => {
      await db.run(
        'DROP SCHEMA IF EXISTS trueup CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public',
      );
      await db.run(deltacrown.read('schema.sql').toString());
      await db.run(deltacrown.read('data.sql').toString());
    },
    trueup: (words, databaseUrl = db.url) =>
      runTrueup([...words.split(' '), '--config', deltacrown.config], { databaseUrl }),
    shown: async () => {
      const rows = await db.rows<{ line: string }>(
        `SELECT concat_ws(' ', user_id, trim_scale(deltacoin_balance), trim_scale(lifetime_earnings)) AS line
           FROM user_profile_userprofile ORDER BY user_id`,
      );
      return rows.map(({ line }) => line);
    },
  };
}

/** The part of the mapping that `adopt` proposes on top of what lies with the platform. */
export const ACTIVITY = {
  table: 'user_profile_useractivity',
  user: 'user_id',
  type: 'event_type',
  sourceModel: 'source_model',
  sourceId: 'source_id',
  metadata: 'metadata',
  occurredAt: 'timestamp',
  createdAt: 'created_at',
} as const;

/** What every player is shown once all is repaired. */
export const REPAIRED = ['1 494 544', '2 280 300', '3 239 239', '4 0 0', '5 0 0'];

/** What the dry run found, in order. */
export const FOUND: readonly JsonLine[] = [
  { user: 1, balance: '494', earnings: '544' },
  { user: 2, balance: '280', earnings: '300' },
  { user: 3, balance: '239', earnings: '239' },
].flatMap(({ user, balance, earnings }) => {
  const ids = { userId: String(user), walletId: String(user), profileId: String(100 + user) };
  const cache = (part: string, field: string, expected: string): JsonLine => ({
    type: 'finding',
    ...ids,
    part,
    field,
    cached: '0',
    expected,
    delta: expected,
    cause: 'unknown',
    evidence: {},
  });
  return [
    cache('wallet', 'lifetimeEarnings', earnings),
    cache('profile', 'balance', balance),
    cache('profile', 'lifetimeEarnings', earnings),
  ];
});
