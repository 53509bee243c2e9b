/** How far something is, from 0 to 1: a bar and the figure. */
import classes from './progress-bar.module.css';

interface Props {
  readonly share: number;
  /** What it is the progress of, for a screen reader: "Progress of this job". */
  readonly label: string;
}

export function ProgressBar({ share, label }: Props) {
  const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <span className={classes.progress}>
      <span className={classes.bar} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
        <span className={classes.done} style={{ '--share': `${percent}%` }} />
      </span>
      <span className={classes.figure}>{`${percent}%`}</span>
    </span>
  );
}
