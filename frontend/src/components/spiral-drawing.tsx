/** The picture of a Fibonacci number: squares whose sides are Fibonacci numbers, and the curve through them. */
import { formatNumber, smallFibonacci } from './numbers';
import classes from './spiral-drawing.module.css';
import { spiralOf, type Square } from './spiral-geometry';

const WIDTH = 1618;
const HEIGHT = 1000;
/** Up to here a square is labelled with its side, beyond with its name: F(k). */
const LAST_NUMBER = 20;

interface Props {
  readonly index: number;
  /** A worker is calculating this index: the curve draws itself. */
  readonly busy: boolean;
}

export function SpiralDrawing({ index, busy }: Props) {
  const spiral = spiralOf(index, WIDTH, HEIGHT);
  return (
    <svg
      className={classes.drawing}
      viewBox={`-6 -6 ${WIDTH + 12} ${HEIGHT + 12}`}
      role="img"
      aria-label={describe(index)}
      data-busy={busy || undefined}
    >
      {index === 0 && <circle className={classes.dot} cx={WIDTH / 2} cy={HEIGHT / 2} r="14" />}
      {spiral.squares.map((square, rank) => (
        <rect
          key={rank}
          className={classes.square}
          x={square.x}
          y={square.y}
          width={square.side}
          height={square.side}
          style={{ '--fill': `var(--square-${Math.min(rank, 5)})` }}
        />
      ))}
      <path key={index} className={classes.curve} d={spiral.curve} pathLength={1} />
      {spiral.squares.map((square, rank) => rank < 6 && <Label key={rank} square={square} />)}
    </svg>
  );
}

function Label({ square: { k, x, y, side } }: { readonly square: Square }) {
  const text = k <= LAST_NUMBER ? formatNumber(smallFibonacci(k)) : `F(${formatNumber(k)})`;
  const size = Math.min(96, side * 0.22, (side * 0.95) / text.length);
  if (size < 20) return null;
  return (
    <text
      className={classes.label}
      data-small={size < 34 || undefined}
      x={x + side / 2}
      y={y + side / 2}
      fontSize={size}
    >
      {text}
    </text>
  );
}

function describe(index: number): string {
  if (index === 0) return 'F(0) is 0: there is no square to draw.';
  const { squares, omitted } = spiralOf(index, WIDTH, HEIGHT);
  const count = squares.length === 1 ? 'One square' : `Spiral of ${squares.length} squares`;
  const rest = omitted > 0 ? `, the largest of ${formatNumber(index)}` : '';
  return `${count}${rest}; the side of the outermost is F(${formatNumber(index)}).`;
}
