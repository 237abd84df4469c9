import { createConnection, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll } from 'vitest';

/**
 * A go-between on the way to PostgreSQL that understands as much of the protocol as it takes to lose
 * a COMMIT, and to count round trips.
 */

/**
 * What is done with a COMMIT, or with a statement that commits by itself. `before`: it never reaches the server. `after`: the server has
 * committed, and the answer is lost. `race`: it is passed on, and nobody waits for the answer. `none`: nothing.
 */
export type Cut = 'before' | 'after' | 'race' | 'none';

/** After so many turns of the event loop without a byte, a client has sent all that it wants to. */
const QUIET_TURNS = 20;

/** Splits a stream of protocol messages; what is incomplete waits for the rest. */
class Messages {
  #rest = Buffer.alloc(0);
  /** The first message of a client has no type. */
  #untyped: boolean;

  constructor(from: 'client' | 'server') {
    this.#untyped = from === 'client';
  }

  *take(chunk: Buffer): Generator<{ readonly type: string; readonly bytes: Buffer }> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const at = this.#untyped ? 0 : 1;
      if (this.#rest.length < at + 4) return;
      const length = at + this.#rest.readInt32BE(at);
      if (this.#rest.length < length) return;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      const type = this.#untyped ? '' : String.fromCharCode(bytes[0] ?? 0);
      this.#untyped = false;
      yield { type, bytes };
    }
  }
}

export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #upstream: { readonly host: string; readonly port: number };
  #cuts: Cut[] = [];
  #down = false;
  #counting = false;
  rounds = 0;
  url = '';

  private constructor(upstream: { readonly host: string; readonly port: number }) {
    this.#upstream = upstream;
    this.#server = createServer({ noDelay: true }, (client) => {
      this.#connect(client);
    });
  }

  /** Listens on loopback for connections to the database of a URL, until the file ends. */
  static async to(databaseUrl: string): Promise<Proxy> {
    const { host, port, user, password, database } = new pg.Client(databaseUrl);
    const proxy = new Proxy({ host, port });
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    const address = proxy.#server.address();
    const listening = typeof address === 'object' && address !== null ? address.port : 0;
    const url = new URL(`postgres://127.0.0.1:${String(listening)}/${database ?? ''}`);
    url.username = user ?? '';
    url.password = typeof password === 'string' ? password : '';
    proxy.url = url.href;
    afterAll(() => proxy.close());
    return proxy;
  }

  /** The next COMMITs are lost like this, one after the other. */
  cut(...how: Cut[]): void {
    this.#cuts.push(...how);
  }

  /** COMMITs that are still to be lost. */
  get left(): number {
    return this.#cuts.length;
  }

  /** Nobody gets through any more, or again. */
  set down(down: boolean) {
    this.#down = down;
    if (down) for (const socket of this.#sockets) socket.destroy();
  }

  /** How often the client waited for the server during some work. */
  async count(work: () => Promise<unknown>): Promise<number> {
    this.#counting = true;
    this.rounds = 0;
    await work();
    this.#counting = false;
    return this.rounds;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #connect(client: Socket): void {
    if (this.#down) {
      client.destroy();
      return;
    }
    const { host, port } = this.#upstream;
    const server = host.startsWith('/')
      ? createConnection(`${host}/.s.PGSQL.${String(port)}`)
      : createConnection(port, host);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    new Link(client, server, {
      nextCut: () => this.#cuts.shift(),
      isCounting: () => this.#counting,
      onRound: () => {
        this.rounds += 1;
      },
    });
  }
}

interface LinkOptions {
  readonly nextCut: () => Cut | undefined;
  readonly isCounting: () => boolean;
  readonly onRound: () => void;
}

/** One connection through the proxy. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #options: LinkOptions;
  #cut: Cut | undefined;
  /** Answers that the client has asked for, and not been given yet. */
  #owed = 0;
  #started = false;
  /** The statement under way commits by itself. */
  #ahead = false;
  /** It is such a statement that was cut. */
  #aheadCut = false;
  #answered = true;
  #heldBack: Buffer[] = [];
  #quiet = 0;

  constructor(client: Socket, server: Socket, options: LinkOptions) {
    this.#client = client;
    this.#server = server;
    this.#options = options;
    const requests = new Messages('client');
    const answers = new Messages('server');
    client.on('data', (chunk) => {
      this.#quiet = 0;
      for (const { type, bytes } of requests.take(chunk)) this.#request(type, bytes);
    });
    server.on('data', (chunk) => {
      for (const { type, bytes } of answers.take(chunk)) this.#answer(type, bytes);
    });
  }

  #request(type: string, bytes: Buffer): void {
    if (this.#cut !== undefined) return; // The client is gone already, and does not know it.
    if (this.#started && this.#answered && this.#options.isCounting()) this.#options.onRound();
    this.#answered = false;
    if (type === 'Q' || type === 'S') this.#owed += 1;
    const cut = this.#commits(type, bytes) ? this.#options.nextCut() : undefined;
    this.#cut = cut === 'none' ? undefined : cut;
    this.#aheadCut = type === 'S';
    if (this.#cut !== 'before') this.#server.write(bytes);
    if (this.#cut === 'before') this.#server.end();
    if (this.#cut === 'before' || this.#cut === 'race') {
      // The server goes on with what it has got; it is not told that nobody waits.
      this.#client.removeAllListeners('close');
      this.#client.destroy();
    }
  }

  /** COMMIT, or the Sync behind a statement that posts and is a transaction of its own. */
  #commits(type: string, bytes: Buffer): boolean {
    if (type === 'Q') return bytes.toString('utf8', 5, bytes.length - 1) === 'COMMIT';
    // A Bind message names the portal (here without a name), then the statement.
    if (type === 'B') this.#ahead = bytes.toString('utf8', 6).startsWith('ahead ');
    const commits = type === 'S' && this.#ahead;
    if (type === 'S') this.#ahead = false;
    return commits;
  }

  #answer(type: string, bytes: Buffer): void {
    if (type === 'Z') {
      this.#owed = Math.max(0, this.#owed - 1);
      this.#started = true;
    }
    const answered = type === 'C' && (this.#aheadCut || bytes.includes('COMMIT'));
    if (this.#cut === 'after' && answered) this.#client.destroy();
    if (this.#client.destroyed) {
      const committed = this.#aheadCut ? type === 'Z' : answered;
      if (committed) this.#server.destroy();
      return;
    }
    this.#heldBack.push(bytes);
    if (!this.#options.isCounting()) this.#flush();
    else if (this.#owed === 0) this.#flushWhenQuiet();
  }

  /** Answers wait until the client has said all: so one flight of statements is one round. */
  #flushWhenQuiet(): void {
    setImmediate(() => {
      if (this.#owed > 0 || this.#heldBack.length === 0) return;
      this.#quiet += 1;
      if (this.#quiet > QUIET_TURNS) this.#flush();
      else this.#flushWhenQuiet();
    });
  }

  #flush(): void {
    this.#client.write(Buffer.concat(this.#heldBack));
    this.#heldBack = [];
    this.#answered = true;
    this.#quiet = 0;
  }
}
