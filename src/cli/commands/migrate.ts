import type { Command } from 'commander';
import { EXIT, migrateDatabase, restoreTriggers, type ExitStatus } from '../../index.js';
import { print, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

interface MigrateOptions extends CommonOptions {
  readonly restore?: boolean;
}

export function addMigrate(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('migrate'))
    .description("create Trueup's tables, or bring them up to date")
    .option('--restore', 'put its triggers and functions back as the migrations made them')
    .action(async (options: MigrateOptions) => {
      if (options.restore === true) {
        const restored = await restoreTriggers(toTrueupOptions(options));
        for (const trigger of restored) print(`restored ${trigger}`);
        setStatus(EXIT.ok);
        return;
      }
      const applied = await migrateDatabase(toTrueupOptions(options));
      for (const { number, name } of applied) {
        print(`applied ${String(number).padStart(4, '0')} ${name}`);
      }
      if (applied.length === 0) print('up to date');
      setStatus(EXIT.ok);
    });
}
