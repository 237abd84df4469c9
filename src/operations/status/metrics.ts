import { VERSION } from '../../version.js';
import type { Status } from './model.js';

/** A status as metrics in the text format of Prometheus. */

/** Its labels; every metric has the ledger besides. */
type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Empty: nothing is known, and nothing is told. */
  readonly samples: readonly Sample[];
}

/**
 * The text that a scrape is answered with: units in the names, seconds since 1970 for times. Coins are
 * numbers here, exact up to 2^53. Each call has a registry of its own, so nothing is told that went away.
 */
export async function metricsText(status: Status): Promise<string> {
  const { Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  for (const { name, help, labels = [], samples } of metricsOf(status)) {
    const labelNames = ['ledger', ...labels];
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    for (const sample of samples) {
      gauge.set({ ledger: status.ledger, ...sample.labels }, sample.value);
    }
  }
  return registry.metrics();
}

function metricsOf(status: Status): Metric[] {
  return [
    {
      name: 'trueup_build_info',
      help: 'Always 1; the version of the Trueup that tells',
      labels: ['version'],
      samples: [{ labels: { version: VERSION }, value: 1 }],
    },
    {
      name: 'trueup_status',
      help: 'Exit status of trueup status: 0 fine, 1 last run failed, 2 drift open, 3 incomplete or missing, 4 stopped by a rail',
      samples: known(status.exitStatus),
    },
    ...ofRuns(status),
    ...ofVerification(status),
    ...ofDrift(status),
    ...ofWaiting(status),
  ];
}

function ofRuns({ lastRun, lastSuccess, underWay }: Status): Metric[] {
  const counts = lastRun?.counts;
  return [
    gauge(
      'trueup_last_success_timestamp_seconds',
      'When the last complete check ended; 0: never',
      lastSuccess === null ? 0 : seconds(lastSuccess.at),
    ),
    gauge(
      'trueup_last_run_timestamp_seconds',
      'When the last run over the whole ledger ended; 0: never',
      lastRun === null ? 0 : seconds(lastRun.endedAt),
    ),
    gauge(
      'trueup_last_run_duration_seconds',
      'From the start of the last run to its end',
      lastRun === null ? null : seconds(lastRun.endedAt) - seconds(lastRun.startedAt),
    ),
    gauge('trueup_last_run_exit_status', 'Exit status of the last run', lastRun?.exitStatus),
    gauge('trueup_last_run_wallets_checked', 'Wallets that the last run compared', counts?.checked),
    gauge('trueup_last_run_wallets_drifted', 'Users with drift in the last run', counts?.drifted),
    gauge(
      'trueup_last_run_findings_repaired',
      'Caches that the last run repaired',
      counts?.repaired,
    ),
    gauge(
      'trueup_last_run_wallets_skipped',
      'Wallets that the last run left because others held them locked',
      counts?.skipped,
    ),
    gauge(
      'trueup_last_run_wallets_failed',
      'Wallets whose repair the database refused in the last run',
      counts?.errors,
    ),
    gauge(
      'trueup_run_under_way',
      'Runs over the whole ledger that are at work or wait',
      underWay === null ? 0 : 1,
    ),
    gauge(
      'trueup_run_under_way_wallets_checked',
      'Wallets that the run under way has compared',
      underWay?.checked,
    ),
  ];
}

function ofVerification({ verified, watermark }: Status): Metric[] {
  return [
    gauge(
      'trueup_wallets_verified_ratio',
      'Share of the wallets that were verified within the cycle, 0 to 1',
      verified?.ratio,
    ),
    gauge(
      'trueup_coins_verified_ratio',
      'The same by the coins that the wallets hold',
      verified?.valueRatio,
    ),
    gauge(
      'trueup_oldest_unverified_age_seconds',
      'How long ago the wallets that wait longest were verified',
      verified?.oldestAge,
    ),
    gauge(
      'trueup_watermark_lag_seconds',
      'For how long the oldest open transaction has held the watermark back',
      watermark === null ? 0 : watermark.age,
    ),
  ];
}

function ofDrift({ open, review }: Status): Metric[] {
  const labels = ['part', 'field', 'cause', 'state'];
  const kinds = open.map((one) => ({
    labels: {
      part: one.part ?? '',
      field: one.field ?? '',
      cause: one.cause ?? '',
      state: one.state,
    },
    one,
  }));
  return [
    {
      name: 'trueup_drift_findings',
      help: 'Findings that are open, by part, field, cause and state',
      labels,
      samples: kinds.map(({ labels: of, one }) => ({ labels: of, value: one.findings })),
    },
    {
      name: 'trueup_drift_coins',
      help: 'The sum of their differences in coins, all taken as positive',
      labels,
      samples: kinds.map(({ labels: of, one }) => ({ labels: of, value: Number(one.coins) })),
    },
    gauge(
      'trueup_open_findings',
      'Findings that are open, in all',
      open.reduce((sum, { findings }) => sum + findings, 0),
    ),
    gauge('trueup_review_findings_waiting', 'Findings that wait for approval', review.findings),
    gauge('trueup_review_coins_waiting', 'Their coins', Number(review.coins)),
  ];
}

function ofWaiting({ waiting }: Status): Metric[] {
  return [
    gauge(
      'trueup_sync_failures_waiting',
      'Profiles that could not follow their ledger and wait for the healer',
      waiting.syncFailures,
    ),
    gauge(
      'trueup_sync_failures_oldest_age_seconds',
      'Since when the oldest of them waits',
      waiting.oldestSyncFailureAge,
    ),
    gauge(
      'trueup_profile_marks_waiting',
      'Deferred profiles that wait to be carried',
      waiting.marks,
    ),
    gauge(
      'trueup_profile_marks_oldest_age_seconds',
      'Since when the oldest of them waits',
      waiting.oldestMarkAge,
    ),
    gauge(
      'trueup_activity_failures_waiting',
      'Events that the activity table did not take',
      waiting.activityFailures,
    ),
    gauge('trueup_alerts_waiting', 'Alerts that are not delivered', waiting.alerts),
  ];
}

function gauge(name: string, help: string, value: number | null | undefined): Metric {
  return { name, help, samples: known(value) };
}

function known(value: number | null | undefined): Sample[] {
  return value === null || value === undefined ? [] : [{ value }];
}

function seconds(at: Date): number {
  return at.getTime() / 1000;
}
