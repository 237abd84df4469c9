import type { Command } from 'commander';
import { EXIT, migrateDatabase, type ExitStatus } from '../../index.js';
import { print, toTrueupOptions, withCommonOptions, type CommonOptions } from '../shared.js';

export function addMigrate(program: Command, setStatus: (status: ExitStatus) => void): void {
  withCommonOptions(program.command('migrate'))
    .description("create Trueup's tables, or bring them up to date")
    .action(async (options: CommonOptions) => {
      const applied = await migrateDatabase(toTrueupOptions(options));
      for (const { number, name } of applied) {
        print(`applied ${String(number).padStart(4, '0')} ${name}`);
      }
      if (applied.length === 0) print('up to date');
      setStatus(EXIT.ok);
    });
}
