import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openTrueup, OWN_MAPPING } from '../../src/index.js';

/** A server that asks for a password, where none is given. */

/** AuthenticationSASL with SCRAM-SHA-256, and after the first message of the client its challenge. */
const ASKS = message(10, 'SCRAM-SHA-256\0\0');
const CHALLENGES = message(11, 'r=nonce,s=c2FsdA==,i=4096');

function message(kind: number, text: string): Buffer {
  const head = Buffer.alloc(9);
  head.write('R');
  head.writeInt32BE(8 + text.length, 1);
  head.writeInt32BE(kind, 5);
  return Buffer.concat([head, Buffer.from(text)]);
}

test('without a password there is no way to the database, and no connection is left open', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.once('data', () => {
      socket.write(ASKS);
      socket.once('data', () => socket.write(CHALLENGES));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const databaseUrl = `postgres://somebody@127.0.0.1:${String(port)}/none`;
  await expect(
    openTrueup({ databaseUrl, config: OWN_MAPPING, healer: false }),
  ).rejects.toMatchObject({
    code: 'database_unreachable',
  });
  expect(sockets).toHaveLength(1);
  await expect
    .poll(() => sockets.every((socket) => socket.readableEnded || socket.destroyed))
    .toBe(true);
});
