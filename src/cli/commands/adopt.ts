import type { Command } from 'commander';
import {
  EXIT,
  openTrueup,
  proposeMapping,
  type ExitStatus,
  type Finding,
  type Mapping,
  type Proposals,
} from '../../index.js';
import { proposalJson, proposalLines } from '../adopt-output.js';
import { ask, processDialog, type Dialog } from '../ask.js';
import { interruptible } from '../interrupt.js';
import { findingLines, summaryJson, summaryLines } from '../output.js';
import { progressView } from '../progress.js';
import { fileName, positiveIntegerTo, withCommonOptions, type CommonOptions } from '../shared.js';
import { refuseExisting, writeConfig } from '../write-config.js';
import { adoptOpenings, type OpeningOptions } from './adopt-opening.js';

/** What `trueup adopt` can be told. */
export interface AdoptOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  /** False with --no-check. */
  readonly check?: boolean;
  readonly quiet?: boolean;
}

/** Options of both, as commander gives them. */
type AllOptions = AdoptOptions & OpeningOptions & { readonly openingBalances?: boolean };

/** So many findings are shown; there may be millions. */
const SHOWN_FINDINGS = 10;

const EXIT_STATUSES = `
Exit status:
  0  the mapping was written (whatever the check found)
  1  an error, or no tables fit
  3  stopped by a person: nothing was written, or the check is incomplete
  64 nobody could be asked, and --yes was not given: nothing was written`;

export function addAdopt(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('adopt'))
    .description('find the ledger, wallets and profiles of a database, and write their mapping')
    .option('--yes', 'accept the likeliest mapping without asking')
    .option(
      '--output <file>',
      'the file to write (default: that of --config, trueup.config.json)',
      fileName,
    )
    .option('--force', 'overwrite an existing file')
    .option('--no-check', 'do not compare the caches with the ledger')
    .option('--json', 'JSON Lines on stdout; asks nothing')
    .option('--quiet', 'no progress')
    .option('--opening-balances', 'instead: give wallets that have coins and no history an entry')
    .option('--dry-run', 'with --opening-balances: show them only (status 2 where there are any)')
    .option('--reason <reason>', 'with --opening-balances: default opening_balance')
    .option(
      '--batch-size <n>',
      'with --opening-balances: wallets a transaction (default: 500)',
      positiveIntegerTo(10_000),
    )
    .addHelpText('after', EXIT_STATUSES)
    .action(async (options: AllOptions, command: Command) => {
      refuseMixed(options, command);
      const dialog = processDialog({ json: options.json ?? false });
      if (options.openingBalances === true) {
        setStatus(await adoptOpenings(options, dialog));
        return;
      }
      if (options.output !== undefined && options.config !== undefined) {
        command.error('error: --output and --config both name the file to write: give one');
      }
      setStatus(await adopt(options, dialog));
    });
}

/** Options of one job make no sense with the other, and whoever gives them means something else. */
function refuseMixed(options: AllOptions, command: Command): void {
  const { openingBalances, output, force, check, dryRun, reason, batchSize } = options;
  const ofProposal = output !== undefined || force === true || check === false;
  const ofOpenings = dryRun === true || reason !== undefined || batchSize !== undefined;
  if (openingBalances === true && ofProposal) {
    command.error('error: --output, --force and --no-check do not go with --opening-balances');
  }
  if (openingBalances !== true && ofOpenings) {
    command.error('error: --dry-run, --reason and --batch-size need --opening-balances');
  }
}

/** Proposes a mapping, lets a person decide, writes it, and looks how much has drifted. */
export async function adopt(options: AdoptOptions, dialog: Dialog): Promise<ExitStatus> {
  const file = options.output ?? options.config ?? 'trueup.config.json';
  const json = options.json ?? false;
  await refuseExisting(file, options.force ?? false);
  if (options.check !== false && options.quiet !== true) {
    dialog.say('reading the catalog, and whether a profile has two wallets; nothing is written');
  }
  const found = await proposeMapping({
    databaseUrl: options.databaseUrl,
    applicationName: 'trueup adopt',
    lookAtWallets: options.check ?? true,
  });
  dialog.print(json ? proposalJson(found) : proposalLines(found, 0));
  const choice = options.yes === true ? 0 : await choose(found, file, dialog);
  if (choice === 'unasked') {
    dialog.say(`nothing was written: accept with --yes, or run this on a terminal to be asked`);
    return EXIT.usage;
  }
  const mapping = found.proposals[choice ?? -1]?.mapping;
  if (mapping === undefined) {
    dialog.say('nothing was written');
    return EXIT.incomplete;
  }
  await writeConfig(file, mapping, options.force ?? false);
  dialog.print(json ? JSON.stringify({ type: 'written', file }) : `written to ${file}`);
  if (options.check === false) return EXIT.ok;
  return check(mapping, options, dialog);
}

/** Which of the mappings a person wants; null: none of them. */
async function choose(
  found: Proposals,
  file: string,
  dialog: Dialog,
): Promise<number | null | 'unasked'> {
  if (!dialog.interactive) return 'unasked';
  const count = found.proposals.length;
  const others = count > 1 ? `, a number from 1 to ${String(count)} to see that mapping` : '';
  const question = `Write this mapping to ${file}? (y: yes${others}, q: quit) `;
  for (let shown = 0; ;) {
    const answer = await ask(dialog, question, (text) => {
      if (['y', 'yes'].includes(text)) return 'yes' as const;
      if (['q', 'quit', 'n', 'no'].includes(text)) return 'quit' as const;
      const index = /^[1-9]$/.test(text) ? Number(text) - 1 : count;
      return index < count ? index : undefined;
    });
    if (answer === 'yes') return shown;
    if (answer === null || answer === 'quit') return null;
    shown = answer;
    dialog.print(proposalLines(found, shown));
  }
}

/** What the check saw, as far as it is told. */
interface Seen {
  readonly first: Finding[];
  findings: number;
  withoutHistory: number;
}

/** A dry run of reconcile with the new mapping: it only reads. Drift is information here. */
async function check(mapping: Mapping, options: AdoptOptions, dialog: Dialog): Promise<ExitStatus> {
  const quiet = options.quiet ?? false;
  if (!quiet) {
    dialog.say('comparing every cache with the ledger, reading only (--no-check leaves this out)');
  }
  const { signal, release } = interruptible();
  const view = progressView(process.stderr, { verbose: false, quiet });
  const seen: Seen = { first: [], findings: 0, withoutHistory: 0 };
  const trueup = await openTrueup({
    databaseUrl: options.databaseUrl,
    config: mapping,
    readOnly: true,
    applicationName: 'trueup adopt',
  });
  try {
    const summary = await trueup.reconcile({
      all: true,
      dryRun: true,
      signal,
      onFinding: (finding) => {
        note(seen, finding);
      },
      onProgress: (progress) => {
        view.update(progress);
      },
    });
    view.finish();
    if (options.json === true) dialog.print(summaryJson(summary));
    else dialog.print([...shownLines(seen), summaryLines(summary), ...next(seen)].join('\n'));
    return summary.incomplete === null ? EXIT.ok : EXIT.incomplete;
  } finally {
    view.finish();
    release();
    await trueup.close();
  }
}

function note(seen: Seen, finding: Finding): void {
  seen.findings += 1;
  if (seen.first.length < SHOWN_FINDINGS) seen.first.push(finding);
  const { cause, part, field, walletId } = finding;
  const ofWallet = walletId !== null && part === 'wallet' && field === 'balance';
  if (cause === 'no_history' && ofWallet) seen.withoutHistory += 1;
}

function shownLines({ first, findings }: Seen): string[] {
  const more = findings - first.length;
  return [
    ...first.map(findingLines()),
    ...(more > 0 ? [`... and ${String(more)} more: trueup reconcile --all --dry-run`] : []),
  ];
}

/** What to do next, in the order in which it is safe. */
function next({ findings, withoutHistory }: Seen): string[] {
  return [
    ...(withoutHistory > 0
      ? [
          `${String(withoutHistory)} wallets hold coins and have no history. Before anything else: ` +
            'trueup adopt --opening-balances --dry-run',
        ]
      : []),
    'next: trueup sync install (docs/adopting.md)' +
      (findings > withoutHistory ? ', then trueup reconcile --all' : ''),
  ];
}
