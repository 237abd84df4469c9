import { TrueupError } from '../core/errors.js';
import type { CheckedOptions } from './options.js';

/** The options of a run as its row keeps them: what was asked for, without what only this process knows. */
export function asRecorded(options: CheckedOptions): Readonly<Record<string, unknown>> {
  const { userIds, sinceCheckpoint, cycle, batchSize, limit, failOnDrift, jobs, unattended } =
    options;
  const { maxRepairs, maxRepairRatio, maxDelta } = options;
  return {
    all: userIds === undefined && !sinceCheckpoint,
    ...(sinceCheckpoint ? { sinceCheckpoint, cycle } : {}),
    userIds,
    batchSize,
    limit,
    failOnDrift,
    ...(jobs === 1 ? {} : { jobs }),
    unattended,
    maxRepairs,
    maxRepairRatio,
    maxDelta: maxDelta === undefined ? undefined : String(maxDelta),
  };
}

/**
 * What a resumed run is asked: the selection and the rails are those that it began with, unless others
 * are given. Batch size, jobs and limit are those of the process.
 */
export function withRecorded(
  asked: CheckedOptions,
  recorded: Readonly<Record<string, unknown>>,
): CheckedOptions {
  const { userIds, failOnDrift, unattended, maxRepairs, maxRepairRatio, maxDelta } = asked;
  const chosen = asked.all === true || asked.sinceCheckpoint || userIds !== undefined;
  const sinceCheckpoint = chosen ? asked.sinceCheckpoint : flag(recorded['sinceCheckpoint']);
  return {
    ...asked,
    sinceCheckpoint: sinceCheckpoint ?? false,
    cycle: chosen ? asked.cycle : number(recorded['cycle']),
    userIds: chosen ? userIds : texts(recorded['userIds']),
    failOnDrift: failOnDrift ?? flag(recorded['failOnDrift']),
    unattended: unattended ?? flag(recorded['unattended']),
    maxRepairs: maxRepairs ?? number(recorded['maxRepairs']),
    maxRepairRatio: maxRepairRatio ?? number(recorded['maxRepairRatio']),
    maxDelta: maxDelta ?? coins(recorded['maxDelta']),
  };
}

function texts(value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw unreadable();
}

function flag(value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw unreadable();
}

function number(value: unknown): number | undefined {
  if (value === undefined || typeof value === 'number') return value;
  throw unreadable();
}

function coins(value: unknown): bigint | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[0-9]+$/.test(value)) return BigInt(value);
  throw unreadable();
}

function unreadable(): TrueupError {
  return new TrueupError('run_changed', 'the options on record are not those of this Trueup', {
    hint: 'Start a new run. Nothing was changed.',
  });
}
