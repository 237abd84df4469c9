import { show, wrong } from '../core/arguments.js';

/** What a run may be asked about its pace: how fast it goes, and for what it waits. */
export interface PaceOptions {
  /** Wallets a batch. Default: as many as take 0.4 s. */
  readonly batchSize?: number | undefined;
  /** Seconds of rest for each second of work. */
  readonly nice?: number | undefined;
  /** Seconds after which no new batch begins. */
  readonly runTime?: number | undefined;
  /** Wait while a standby is more than so many seconds behind. */
  readonly maxLag?: number | undefined;
  /** Wait while more sessions of others than this are at work. */
  readonly maxLoad?: number | undefined;
}

/** That a run waits, and why; or that it goes on. */
export interface ReconcilePause {
  /** told: by `trueup runs pause`. lag, load: the server is busy. null: it goes on. */
  readonly kind: 'told' | 'lag' | 'load' | null;
  readonly reason: string | null;
}

const SECONDS_OF_A_YEAR = 31_536_000;

/** Reads a number from 0 up to a year of seconds. @throws TrueupError `invalid_argument` */
function readAmount(value: unknown, name: string, whose: string): number {
  if (typeof value === 'number' && value >= 0 && value <= SECONDS_OF_A_YEAR) return value;
  throw wrong(`${name} of ${whose} has to be a number from 0 up, not ${show(value)}`);
}

/** How each of them but the batch size is read. */
export const PACE_READERS = {
  nice: readAmount,
  runTime: readAmount,
  maxLag: readAmount,
  maxLoad: readAmount,
} as const;
