/** An output on one line, shortened in the middle when it is long. */
import { formatNumber } from './numbers';
import { shortenMiddle } from './shorten';
import classes from './value-text.module.css';

interface Props {
  readonly text: string;
  /** Characters of the whole output. */
  readonly length: number;
  readonly keep: number;
}

export function ValueText({ text, length, keep }: Props) {
  const value = shortenMiddle(text, keep);
  return (
    <span className={classes.value}>
      {value.text}
      {value.shortened && (
        <span className="visually-hidden"> (shortened from {formatNumber(length)} characters)</span>
      )}
    </span>
  );
}
