import { expect, test } from 'vitest';
import { MOST_SQUARES, spiralOf, type Square } from './spiral-geometry';

const [WIDTH, HEIGHT] = [1618, 1000];

function overlap(a: Square, b: Square): number {
  const width = Math.min(a.x + a.side, b.x + b.side) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.side, b.y + b.side) - Math.max(a.y, b.y);
  return Math.max(0, width) * Math.max(0, height);
}

test('zero has no square', () => {
  expect(spiralOf(0, WIDTH, HEIGHT)).toEqual({ squares: [], curve: '', omitted: 0 });
});

test('the squares of a small index fill their rectangle exactly: F(1)² + … + F(n)² = F(n)·F(n+1)', () => {
  for (let index = 1; index <= MOST_SQUARES; index += 1) {
    const { squares, omitted } = spiralOf(index, WIDTH, HEIGHT);
    expect(squares.map(({ k }) => k)).toEqual(Array.from({ length: index }, (_, rank) => index - rank));
    expect(omitted).toBe(0);
    const right = Math.max(...squares.map(({ x, side }) => x + side));
    const left = Math.min(...squares.map(({ x }) => x));
    const bottom = Math.max(...squares.map(({ y, side }) => y + side));
    const top = Math.min(...squares.map(({ y }) => y));
    const area = squares.reduce((sum, { side }) => sum + side * side, 0);
    expect(area).toBeCloseTo((right - left) * (bottom - top), 3);
  }
});

test.each([2, 3, 9, 12, 13, 90, 10_000_000])('the squares of %i lie in the picture and do not overlap', (index) => {
  const { squares } = spiralOf(index, WIDTH, HEIGHT);
  for (const [rank, square] of squares.entries()) {
    expect(square.x).toBeGreaterThanOrEqual(-1e-9);
    expect(square.y).toBeGreaterThanOrEqual(-1e-9);
    expect(square.x + square.side).toBeLessThanOrEqual(WIDTH + 1e-9);
    expect(square.y + square.side).toBeLessThanOrEqual(HEIGHT + 1e-9);
    for (const other of squares.slice(rank + 1)) expect(overlap(square, other)).toBeLessThan(1e-6);
  }
});

test('each side is the sum of the two next smaller ones', () => {
  for (const index of [12, 90, 10_000_000]) {
    const sides = spiralOf(index, WIDTH, HEIGHT).squares.map(({ side }) => side);
    for (let rank = 0; rank + 2 < sides.length; rank += 1) {
      expect(sides[rank]).toBeCloseTo((sides[rank + 1] ?? 0) + (sides[rank + 2] ?? 0), 6);
    }
  }
});

test('a large index draws only the largest squares and says how many it left out', () => {
  const { squares, omitted } = spiralOf(1000, WIDTH, HEIGHT);
  expect(squares).toHaveLength(MOST_SQUARES);
  expect(squares[0]?.k).toBe(1000);
  expect(omitted).toBe(1000 - MOST_SQUARES);
});

test('the curve is unbroken: one move, then one quarter circle a square', () => {
  const { curve } = spiralOf(9, WIDTH, HEIGHT);
  expect(curve.match(/M/gu)).toHaveLength(1);
  expect(curve.match(/A/gu)).toHaveLength(9);
  const { squares } = spiralOf(9, WIDTH, HEIGHT);
  // Every arc ends in a corner of its square, and the next begins there: in a corner of the next square too.
  const ends = [...curve.matchAll(/0 0 1 (\S+) (\S+)/gu)].map(([, x, y]) => [Number(x), Number(y)] as const);
  for (const [rank, [x, y]] of ends.entries()) {
    for (const square of squares.slice(rank, rank + 2)) {
      expect([square.x, square.x + square.side].some((corner) => Math.abs(corner - x) < 0.02)).toBe(true);
      expect([square.y, square.y + square.side].some((corner) => Math.abs(corner - y) < 0.02)).toBe(true);
    }
  }
});
