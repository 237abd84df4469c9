import { createHash } from 'node:crypto';
import type { Finding } from '../../core/drift.js';
import { toUnits } from '../../core/sums.js';
import type { ResolvedMapping } from '../../mapping/model.js';
import type { Database } from '../../postgres/database.js';
import type { CheckedOptions } from '../../reconcile/options.js';
import type { ReconcileSummary } from '../../reconcile/summary.js';
import { VERSION } from '../../version.js';
import { WholeFile } from '../file.js';
import type { LiveReport } from '../report/live.js';
import { isToRepair } from './confirm.js';
import {
  endLine,
  PLAN_VERSION,
  placeOf,
  type PlanEnd,
  type PlanHeader,
  type PlanWallet,
} from './format.js';

/**
 * Begins the plan of a dry run that is about to start.
 *
 * @throws TrueupError `file_unwritable`
 */
export async function livePlan(
  { database, mapping }: { readonly database: Database; readonly mapping: ResolvedMapping },
  path: string,
  options: CheckedOptions,
): Promise<LiveReport> {
  if (!options.dryRun) throw new Error('a plan is made by a dry run');
  const file = WholeFile.begin(path);
  try {
    const { at, ...place } = await placeOf(database, mapping);
    const writer = new PlanWriter(file, {
      type: 'plan',
      version: PLAN_VERSION,
      ...place,
      createdAt: at.toISOString(),
      trueup: VERSION,
    });
    return {
      found: (finding) => {
        writer.add(finding);
      },
      problem: () => undefined,
      complete: (summary) => {
        writer.complete(summary);
        return Promise.resolve();
      },
      abandon: () => {
        file.abandon();
      },
    };
  } catch (error) {
    file.abandon();
    throw error;
  }
}

/** Gathers the findings of one wallet, which come one after the other, into a line. */
class PlanWriter {
  readonly #file: WholeFile;
  readonly #hash = createHash('sha256');
  #wallet: (PlanWallet & { findings: PlanWallet['findings'] }) | undefined;
  #wallets = 0;
  #findings = 0;
  #repairable = 0;
  #largest = 0n;

  constructor(file: WholeFile, header: PlanHeader) {
    this.#file = file;
    this.#line(header);
  }

  add(finding: Finding): void {
    const { userId, walletId, profileId, part, field, cached, expected, delta, cause } = finding;
    const known = this.#wallet;
    const { state } = finding;
    const told = {
      ...{ part, field, cached, expected, delta, cause },
      ...(state === undefined ? {} : { state }),
    };
    if (known?.walletId === walletId && known.profileId === profileId) {
      known.findings.push(told);
    } else {
      this.#endWallet();
      this.#wallet = { type: 'wallet', userId, walletId, profileId, findings: [told] };
    }
  }

  complete({ checked, incomplete }: ReconcileSummary): void {
    this.#endWallet();
    const totals: Omit<PlanEnd, 'checksum'> = {
      ...{ type: 'end', checked, wallets: this.#wallets, findings: this.#findings },
      ...{ repairable: this.#repairable, largestDelta: String(this.#largest), incomplete },
    };
    this.#file.write(endLine(this.#hash, JSON.stringify(totals).slice(0, -1)));
    this.#file.complete();
  }

  #endWallet(): void {
    const wallet = this.#wallet;
    if (wallet === undefined) return;
    this.#wallet = undefined;
    this.#wallets += 1;
    this.#findings += wallet.findings.length;
    const repairable = wallet.findings.filter(isToRepair);
    if (repairable.length > 0) this.#repairable += 1;
    for (const { delta } of repairable) this.#measure(delta);
    this.#line(wallet);
  }

  #measure(delta: string | null): void {
    const units = delta === null ? undefined : toUnits(delta);
    if (units === undefined) return;
    const whole = ((units < 0n ? -units : units) + (UNIT - 1n)) / UNIT;
    if (whole > this.#largest) this.#largest = whole;
  }

  #line(content: object): void {
    const line = `${JSON.stringify(content)}\n`;
    this.#hash.update(line);
    this.#file.write(line);
  }
}

const UNIT = 1_000_000n;
