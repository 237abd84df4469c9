import pg from 'pg';

/**
 * A connection of a pool. Where pg has no password to answer the server with, it reports that and leaves
 * its socket open, and the process cannot end until the server loses its patience, after a minute.
 */
export class PooledClient extends pg.Client {
  override connect(): Promise<this>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): unknown {
    if (callback === undefined) return super.connect();
    super.connect((error: unknown) => {
      // Nobody waits for it: a server that is gone does not answer.
      if (error instanceof Error) this.end().catch(() => undefined);
      callback(error as Error);
    });
    return undefined;
  }
}
