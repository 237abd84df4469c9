import type { Command } from 'commander';
import { EXIT, openTrueup, type ExitStatus } from '../../index.js';
import { reportFile } from '../reconcile-options.js';
import { say, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

/** `trueup report`, and `trueup runs report`: the same under both names. */
export function addReport(parent: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(parent.command('report'))
    .description('write the report of a run from its record; needs no right but SELECT')
    .argument('<run>', 'its id, the first characters of it, or "last": the last of any kind')
    .argument('<file>', '.html, a page for people; .csv or .json, every finding', reportFile)
    .action(async (run: string, file: string, options: CommonOptions) => {
      const trueup = await openTrueup({
        ...toTrueupOptions(options),
        readOnly: true,
        maxConnections: 1,
        applicationName: 'trueup report',
      });
      try {
        const { runId } = await trueup.writeReport({ run, file });
        say(`the report of run ${runId} is in ${file}`);
        setStatus(EXIT.ok);
      } finally {
        await trueup.close();
      }
    });
}
