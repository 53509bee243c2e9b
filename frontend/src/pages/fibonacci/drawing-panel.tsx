/** The drawing for the chosen index, and in words what is drawn. */
import { fibonacciDigits, formatDigits, formatNumber, smallFibonacci } from '../../components/numbers';
import { SpiralDrawing } from '../../components/spiral-drawing';
import { MOST_SQUARES } from '../../components/spiral-geometry';
import classes from './fibonacci.module.css';

/** What is drawn while nothing is typed. */
const EXAMPLE = 10;
/** The sums of small numbers are written out, those of large ones by name. */
const LAST_WRITTEN = 30;

export function DrawingPanel({ index, busy }: { readonly index: number | null; readonly busy: boolean }) {
  const shown = index ?? EXAMPLE;
  return (
    <figure className={classes.figure}>
      <SpiralDrawing index={shown} busy={busy} />
      <figcaption className={classes.caption}>
        <strong>{sum(shown)}</strong>
        <span>
          {index === null ? 'For example. ' : ''}
          {explanation(shown)}
        </span>
      </figcaption>
    </figure>
  );
}

function sum(index: number): string {
  const name = (k: number) => (index <= LAST_WRITTEN ? formatNumber(smallFibonacci(k)) : `F(${formatNumber(k)})`);
  const whole = `F(${formatNumber(index)})`;
  if (index < 2) return `${whole} = ${index}`;
  return index <= LAST_WRITTEN
    ? `${whole} = ${name(index - 1)} + ${name(index - 2)} = ${name(index)}`
    : `${whole} = ${name(index - 1)} + ${name(index - 2)}`;
}

function explanation(index: number): string {
  if (index === 0) return 'Nothing to draw yet: the squares begin with F(1) = 1.';
  if (index === 1) return 'The first square. Every other one grows out of it.';
  if (index <= MOST_SQUARES) return 'Each square is as wide as the two before it together.';
  const size = index <= LAST_WRITTEN ? '' : `, a number of ${formatDigits(fibonacciDigits(index))}`;
  return `The ${MOST_SQUARES} largest of ${formatNumber(index)} squares. The outermost is F(${formatNumber(index)}) wide${size}.`;
}
