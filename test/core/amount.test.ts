import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { difference, MAX_AMOUNT, parseAmount, wholeCoins } from '../../src/core/amount.js';

describe('parseAmount', () => {
  test.each<[unknown, bigint]>([
    [1n, 1n],
    [1, 1n],
    ['1', 1n],
    ['007', 7n],
    [MAX_AMOUNT, MAX_AMOUNT],
    [Number.MAX_SAFE_INTEGER, MAX_AMOUNT],
    ['9007199254740991', MAX_AMOUNT],
  ])('%s is an amount', (value, amount) => {
    expect(parseAmount(value)).toBe(amount);
  });

  test.each<[unknown]>([
    [0],
    [0n],
    ['0'],
    [-1],
    [-1n],
    ['-1'],
    ['+1'],
    [0.5],
    [1.0000001],
    ['1.0'],
    ['1e3'],
    ['0x10'],
    [' 1'],
    ['1 '],
    [''],
    ['abc'],
    ['٣'],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [2 ** 53],
    [MAX_AMOUNT + 1n],
    ['9007199254740992'],
    ['99999999999999999999999999'],
    [null],
    [undefined],
    [true],
    [[1]],
    [{ valueOf: () => 1 }],
  ])('%s is none', (value) => {
    expect(parseAmount(value)).toBeUndefined();
  });
});

describe('difference', () => {
  test.each([
    ['494', '0', '494'],
    ['0', '0.50', '-0.5'],
    ['1', '1.00', '0'],
    ['0.1', '0.3', '-0.2'],
    ['-5', '5', '-10'],
    ['100000000000000000000', '1', '99999999999999999999'],
  ])('%s - %s = %s', (expected, cached, delta) => {
    expect(difference(expected, cached)).toBe(delta);
  });

  test.each([
    ['1', 'NaN'],
    ['1', 'Infinity'],
    ['1', ''],
  ])('%s - %s is no number', (expected, cached) => {
    expect(difference(expected, cached)).toBeNull();
  });

  test('is exact for every number of cents', () => {
    const cents = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
    fc.assert(
      fc.property(cents, cents, (left, right) => {
        const delta = difference(asDecimal(left), asDecimal(right)) ?? '';
        expect(inCents(delta)).toBe(left - right);
      }),
    );
  });
});

describe('wholeCoins', () => {
  test('reads whole numbers of any size', () => {
    expect(wholeCoins('-9223372036854775808')).toBe(-9223372036854775808n);
  });

  test.each(['1.5', 'NaN', '', '1e3'])('refuses %s', (text) => {
    expect(() => wholeCoins(text)).toThrow(expect.objectContaining({ code: 'amount_not_whole' }));
  });
});

function asDecimal(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

function inCents(text: string): bigint {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const value = BigInt(whole + fraction.padEnd(2, '0'));
  return text.startsWith('-') ? -value : value;
}
