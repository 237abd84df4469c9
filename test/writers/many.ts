import { expect } from 'vitest';
import type { Trueup } from '../../src/index.js';
import { findings } from '../support/economy.js';
import { hasDjango, startDjango, type ReadyWriter, type Written } from './django.js';
import { copy, drizzleOrm, library, libraryProcess, plainSql, type Place } from './writers.js';

/** All kinds of writers at once, and what has to hold afterwards. */

/** Said in the name of a test where Django is missing. */
export const DJANGO_NOTE = hasDjango
  ? ''
  : ' (without Django: it is not installed; as root `npm test` installs it on Debian)';

/** Every writer, connected and waiting. */
export async function everyWriter(
  place: Place,
  trueup: Trueup,
  scheme: 'own' | 'deltacrown',
  config: object | undefined,
): Promise<ReadyWriter[]> {
  const { url } = place.db;
  const { wallets } = place;
  const applications = hasDjango
    ? [1, 2].map((seed) => startDjango(scheme, url, { rounds: 60, seed, wallets }))
    : [];
  return Promise.all([
    ...applications,
    plainSql(place, 11, 60),
    plainSql(place, 12, 60),
    copy(place, 13, 20),
    drizzleOrm(place, 14, 60),
    Promise.resolve(library(trueup, place, 15, 40)),
    libraryProcess(place, config, 30),
  ]);
}

/** Lets them all write at once, and sums up what they say that they have committed. */
export async function allAtOnce(writers: readonly ReadyWriter[]): Promise<Written> {
  const written = await Promise.all(writers.map((writer) => writer.begin()));
  // A writer that wrote nothing would prove nothing.
  for (const [at, { entries }] of written.entries()) {
    expect(entries, writers[at]?.name).toBeGreaterThan(20);
  }
  return {
    entries: written.reduce((sum, { entries }) => sum + entries, 0),
    coins: written.reduce((sum, { coins }) => sum + coins, 0),
  };
}

/** No cache differs from the ledger, however one asks. Profiles that had to wait were healed before. */
export async function expectNoDrift(trueup: Trueup, wallets: readonly string[]): Promise<void> {
  const healed = await trueup.heal({ everything: true });
  expect(healed.failed).toBe(0);
  expect(await findings(trueup)).toEqual([]);
  for (const walletId of wallets) {
    expect(await trueup.getBalanceDrift(walletId)).toMatchObject({ walletId, hasDrift: false });
  }
  expect(await trueup.reconcile({ all: true })).toMatchObject({
    findings: 0,
    repaired: 0,
    errors: 0,
  });
}
