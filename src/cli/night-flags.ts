import { Command, CommanderError } from 'commander';
import { nightWords } from '../index.js';
import { checkOperating } from './alert-options.js';
import {
  checkFlags,
  toRunOptions,
  withReconcileFlags,
  type ReconcileFlags,
} from './reconcile-options.js';
import { withCommonOptions } from './shared.js';

/** Flags of reconcile that make no sense night after night, and why. */
const NOT_AT_NIGHT: readonly (readonly [keyof ReconcileFlags, string, string])[] = [
  ['userId', '--user-id', 'a night looks at the whole ledger'],
  [
    'dryRun',
    '--dry-run',
    'it repairs nothing, and is not on record: nobody would hear of what it found',
  ],
  ['resume', '--resume', 'a night begins a run of its own'],
  ['plan', '--plan', 'it makes a dry run, and a plan is for a person to look at'],
  ['apply', '--apply', 'a plan is applied once'],
];

/**
 * Ends the command where `trueup reconcile` would refuse a night with these flags: its own parser says so
 * now, and not every night.
 */
export function checkNightFlags(flags: readonly string[], command: Command): void {
  try {
    parse(nightWords(flags).slice(1));
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    command.error(error.message.replace(/^error: /, 'error: after --: '));
  }
}

/** @throws CommanderError */
function parse(words: readonly string[]): void {
  const reconcile = withReconcileFlags(withCommonOptions(new Command('reconcile')))
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .action((parsed: ReconcileFlags) => {
      const stranger = NOT_AT_NIGHT.find(([name]) => parsed[name] !== undefined);
      if (stranger !== undefined) {
        const [, flag, why] = stranger;
        reconcile.error(`error: ${flag} is not for a night: ${why}`);
      }
      checkFlags(parsed, reconcile);
      const { alertWebhook: webhook, alertCommand: command } = parsed;
      checkOperating({ reconcile: toRunOptions(parsed), alerts: { webhook, command } }, reconcile);
    });
  reconcile.parse(words, { from: 'user' });
}
