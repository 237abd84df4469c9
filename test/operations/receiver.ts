import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterAll } from 'vitest';

/** A webhook on loopback that does as it is told. */

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

type Answer = (request: Request, response: ServerResponse) => void;

export class Receiver {
  readonly requests: Request[] = [];
  readonly #server: Server;
  #answer: Answer = status(200);
  url = '';

  private constructor() {
    this.#server = createServer((incoming, response) => {
      void this.#take(incoming, response);
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((done) => receiver.#server.listen(0, '127.0.0.1', done));
    const address = receiver.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    receiver.url = `http://127.0.0.1:${String(port)}`;
    afterAll(() => receiver.close());
    return receiver;
  }

  /** From now on it answers like this, and has been asked nothing. */
  will(answer: Answer): void {
    this.requests.length = 0;
    this.#answer = answer;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => {
      this.#server.close(() => {
        done();
      });
    });
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    const { method = '', url = '', headers } = incoming;
    const request = { method, url, headers, body };
    this.requests.push(request);
    this.#answer(request, response);
  }
}

/** Answers with a status, and with these headers. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_, response) => {
    response.writeHead(code, headers).end('words that nobody reads');
  };
}

/** Never answers. */
export const hang: Answer = () => undefined;
