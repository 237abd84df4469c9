import type { Command } from 'commander';
import { EXIT, openTrueup, type ExitStatus } from '../../index.js';
import { storyJson, storyLines } from '../story.js';
import { print, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

interface Options extends CommonOptions {
  readonly userId?: string;
  readonly walletId?: string;
  readonly json?: boolean;
}

const EXIT_STATUSES = `
Exit status:
  0  everything agrees with the ledger
  1  an error, such as a user that nobody knows
  2  something differs; the lines say why
  64 wrong usage`;

/** Adds `explain`: the story of one balance. */
export function addExplain(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('explain'))
    .description('tell why a balance is what it is, and what reconcile would do; reads only')
    .option('--user-id <id>', 'the wallets of this user')
    .option('--wallet-id <id>', 'this wallet')
    .option('--json', 'one JSON object on stdout')
    .addHelpText('after', EXIT_STATUSES)
    .action(async (options: Options, command: Command) => {
      const { userId, walletId } = options;
      if ((userId === undefined) === (walletId === undefined)) {
        command.error('error: say whose balance: --user-id ID, or --wallet-id ID');
      }
      setStatus(await run(options));
    });
}

async function run(options: Options): Promise<ExitStatus> {
  const trueup = await openTrueup({
    ...toTrueupOptions(options),
    readOnly: true,
    healer: false,
    applicationName: 'trueup explain',
  });
  try {
    const { userId, walletId } = options;
    const story = await trueup.explain({
      ...(userId === undefined ? {} : { userId }),
      ...(walletId === undefined ? {} : { walletId }),
    });
    print(options.json === true ? storyJson(story) : storyLines(story));
    const differs = story.wallets.some(
      ({ findings, sharedWith }) => findings.length + sharedWith.length > 0,
    );
    return differs ? EXIT.drift : EXIT.ok;
  } finally {
    await trueup.close();
  }
}
