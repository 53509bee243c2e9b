/**
 * The spiral of squares: each square's side is a Fibonacci number, and the next square fits along the two before it.
 * The largest square lies on the left; the others wind inwards, clockwise. Pure geometry, in units of the picture.
 */
import { smallFibonacci } from './numbers';

export const MOST_SQUARES = 12;

export interface Square {
  /** Which Fibonacci number is its side. */
  readonly k: number;
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

export interface Spiral {
  readonly squares: readonly Square[];
  /** An SVG path: one quarter circle a square, from the outside in. */
  readonly curve: string;
  /** Squares of this index that are too small to draw. */
  readonly omitted: number;
}

/** From here on the proportions no longer change in any way that could be seen or that a double could hold. */
const SETTLED = 60;

export function spiralOf(index: number, width: number, height: number): Spiral {
  if (index < 1) return { squares: [], curve: '', omitted: 0 };
  const shift = Math.max(0, index - SETTLED);
  const side = (k: number) => smallFibonacci(k - shift);
  const whole = { width: side(index) + (index > 1 ? side(index - 1) : 0), height: side(index) };
  const scale = Math.min(width / whole.width, height / whole.height);
  let [x, y] = [(width - whole.width * scale) / 2, (height - whole.height * scale) / 2];
  let [restWidth, restHeight] = [whole.width * scale, whole.height * scale];

  const squares: Square[] = [];
  const arcs: string[] = [];
  const innermost = Math.max(1, index - MOST_SQUARES + 1);
  for (let k = index; k >= innermost; k -= 1) {
    const s = side(k) * scale;
    // Cut the square off the rest of the rectangle: left, top, right, bottom, and again.
    const turn = (index - k) % 4;
    const square = {
      k,
      side: s,
      x: turn === 2 ? x + restWidth - s : x,
      y: turn === 3 ? y + restHeight - s : y,
    };
    squares.push(square);
    arcs.push(arc(square, turn, arcs.length === 0));
    if (turn === 0) x += s;
    if (turn === 1) y += s;
    if (turn % 2 === 0) restWidth -= s;
    else restHeight -= s;
  }
  return { squares, curve: arcs.join(' '), omitted: innermost - 1 };
}

function arc({ x, y, side: s }: Square, turn: number, first: boolean): string {
  const corners = [
    [x, y + s],
    [x, y],
    [x + s, y],
    [x + s, y + s],
  ] as const;
  const start = corners[turn % 4];
  const end = corners[(turn + 2) % 4];
  if (start === undefined || end === undefined) return '';
  const move = first ? `M${round(start[0])} ${round(start[1])} ` : '';
  return `${move}A${round(s)} ${round(s)} 0 0 1 ${round(end[0])} ${round(end[1])}`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
