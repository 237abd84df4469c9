import { expect, test } from 'vitest';
import { Pipeline } from '../../src/reconcile/pipeline.js';

/** Work that goes on side by side, and is handed out in order. */

/** A promise and what settles it. */
function gate<Value>(): {
  promise: Promise<Value>;
  open: (value: Value) => void;
  fail: (error: Error) => void;
} {
  let open: (value: Value) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<Value>((resolve, reject) => {
    [open, fail] = [resolve, reject];
  });
  return { promise, open, fail };
}

/** Lets everything happen that can happen by itself. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function* numbers(count: number): AsyncGenerator<number, string> {
  for (let n = 0; n < count; n += 1) yield await Promise.resolve(n);
  return 'end';
}

test.each([1, 2, 3, 7])('%i at a time, in order whatever is done first', async (atATime) => {
  const gates = Array.from({ length: 6 }, () => gate<string>());
  const begun: number[] = [];
  const pipeline = new Pipeline(numbers(6), atATime, (n) => {
    begun.push(n);
    return gates[n]?.promise ?? Promise.resolve('none');
  });
  const first = pipeline.next();
  await turn();
  expect(begun).toHaveLength(Math.min(atATime, 6));
  for (const [n, { open }] of [...gates.entries()].reverse()) open(`done ${String(n)}`);
  const results: unknown[] = [await first];
  for (let n = 0; n < 6; n += 1) results.push(await pipeline.next());
  expect(results).toEqual([
    ...Array.from({ length: 6 }, (_, n) => ({ result: `done ${String(n)}` })),
    { end: 'end' },
  ]);
});

test('the next one is begun before a result is handled', async () => {
  const begun: number[] = [];
  const pipeline = new Pipeline(numbers(3), 1, (n) => {
    begun.push(n);
    return Promise.resolve(n);
  });
  await pipeline.next();
  await turn();
  expect(begun).toEqual([0, 1]);
});

test('nor is it begun before, where that is not wanted', async () => {
  const begun: number[] = [];
  const work = (n: number): Promise<number> => {
    begun.push(n);
    return Promise.resolve(n);
  };
  const pipeline = new Pipeline(numbers(3), 1, work, () => false);
  await pipeline.next();
  await turn();
  expect(begun).toEqual([0]);
  expect(await pipeline.next()).toEqual({ result: 1 });
});

test('a source that waits holds nobody up', async () => {
  const pause = gate<number>();
  async function* waiting(): AsyncGenerator<number, string> {
    yield 0;
    yield await pause.promise;
    return 'end';
  }
  const pipeline = new Pipeline(waiting(), 4, (n) => Promise.resolve(n));
  expect(await pipeline.next()).toEqual({ result: 0 });
  const second = pipeline.next();
  await pipeline.stop(); // Nor is it waited for at the end.
  pause.open(1);
  await expect(second).rejects.toThrow('stopped');
});

test('a failure comes in its turn, and the others are waited for', async () => {
  const [bad, slow] = [gate<number>(), gate<number>()];
  const pipeline = new Pipeline(numbers(5), 2, (n) => (n === 0 ? bad.promise : slow.promise));
  const first = pipeline.next();
  await turn();
  bad.fail(new Error('bad'));
  await expect(first).rejects.toThrow('bad');
  let stopped = false;
  const stopping = pipeline.stop().then(() => (stopped = true));
  await turn();
  expect(stopped).toBe(false);
  slow.open(1);
  await stopping;
});

test('a source that fails fails the pipeline', async () => {
  async function* failing(): AsyncGenerator<number, string> {
    yield 0;
    throw await Promise.resolve(new Error('no more'));
  }
  const pipeline = new Pipeline(failing(), 2, (n) => Promise.resolve(n));
  expect(await pipeline.next()).toEqual({ result: 0 });
  await expect(pipeline.next()).rejects.toThrow('no more');
});
