import type pg from 'pg';
import { AS_ON_DISK, type TestDatabase } from './database.js';

/** Writers that go on until they are told to stop, each with a random walk of its own. */
export class Writers {
  readonly #clients: readonly pg.Client[];
  readonly #wallets: number;
  #running: Promise<unknown>[] = [];
  #stopped = false;
  statements = 0;

  private constructor(clients: readonly pg.Client[], wallets: number) {
    this.#clients = clients;
    this.#wallets = wallets;
  }

  /** Writers on wallets 1 to so many of an application's tables. */
  static async connect(
    db: TestDatabase,
    size: { readonly writers: number; readonly wallets: number },
  ): Promise<Writers> {
    const clients = Array.from({ length: size.writers }, () => db.connect(AS_ON_DISK));
    return new Writers(await Promise.all(clients), size.wallets);
  }

  start(): void {
    this.#running = this.#clients.map((client, n) => this.#write(client, n));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #write(client: pg.Client, n: number): Promise<void> {
    for (let round = 0; !this.#stopped; round += 1) {
      const wallet = 1 + ((n * 31 + round * 17) % this.#wallets);
      const amount = 1 + ((n + round) % 9);
      switch ((n + round) % 4) {
        case 0:
          await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [
            wallet,
            -amount,
          ]);
          break;
        case 1:
          await client.query(
            'INSERT INTO app.ledger (wallet_id, amount) SELECT 1 + (($1 + g * 7) % $2), $3 FROM generate_series(1, 8) AS g',
            [wallet, this.#wallets, amount],
          );
          break;
        case 2:
          await client.query('BEGIN');
          await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [
            wallet,
            amount,
          ]);
          await client.query(round % 3 === 0 ? 'ROLLBACK' : 'COMMIT');
          break;
        default:
          await client.query('INSERT INTO app.ledger (wallet_id, amount) VALUES ($1, $2)', [
            wallet,
            amount,
          ]);
      }
      this.statements += 1;
    }
  }
}
