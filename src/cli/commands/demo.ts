import type { Command } from 'commander';
import { connect, disconnect } from '../../engine/connect.js';
import {
  EXIT,
  openTrueup,
  OWN_MAPPING,
  VERSION,
  type ExitStatus,
  type Trueup,
} from '../../index.js';
import type { Database } from '../../postgres/database.js';
import * as statements from '../demo-statements.js';
import { findingLine, summaryLines } from '../output.js';
import { print } from '../shared.js';

/** The demo always works on a database of its own on the embedded server, and makes it anew. */
const DEMO = {
  config: OWN_MAPPING,
  databaseUrl: '',
  embeddedDatabase: 'trueup_demo',
} as const;

export function addDemo(program: Command, setStatus: (status: ExitStatus) => void): void {
  program
    .command('demo')
    .description('the whole story on an embedded PostgreSQL: drift, dry run, repair, sync')
    .action(async () => {
      setStatus(await demo());
    });
}

async function demo(): Promise<ExitStatus> {
  const trueup = await openTrueup({ ...DEMO, recreate: true, healer: false });
  try {
    const connection = await connect(DEMO);
    try {
      await tell(trueup, connection.database);
    } finally {
      await disconnect(connection);
    }
    return EXIT.ok;
  } finally {
    await trueup.close();
  }
}

async function tell(trueup: Trueup, database: Database): Promise<void> {
  const [server] = await database.query<{ version: string }>(statements.serverVersion);
  print(`Trueup ${VERSION} on an embedded PostgreSQL ${server?.version ?? ''}`);

  await trueup.removeSync();
  for (const statement of statements.loadPlayers) await database.query(statement);
  await trueup.installSync();
  print('\n1. Five players. Nothing kept their profiles in step with the ledger:\n');
  await showBalances(database);

  print('\n2. trueup reconcile --all --dry-run\n');
  await reconcile(trueup, true);
  print('\n3. trueup reconcile --all\n');
  await reconcile(trueup, false);
  print('\n4. trueup reconcile --all, once more\n');
  await reconcile(trueup, false);

  print(
    '\n5. Anybody writes to the ledger, with plain SQL, and the profile follows in the same commit:\n',
  );
  print(`   ${statements.plainInsert.text}\n`);
  await database.query(statements.plainInsert);
  await showBalances(database);
}

async function showBalances(database: Database): Promise<void> {
  const rows = await database.query<statements.ShownRow>(statements.shownBalances);
  for (const { user, shown, ledger } of rows) {
    print(`   user ${user}  is shown ${shown.padStart(3)}  the ledger says ${ledger.padStart(3)}`);
  }
}

async function reconcile(trueup: Trueup, dryRun: boolean): Promise<void> {
  const summary = await trueup.reconcile({
    all: true,
    dryRun,
    onFinding: (finding) => {
      print(`   ${findingLine(finding)}`);
    },
  });
  print(summaryLines(summary).replace(/^/gm, '   '));
}
