/** The heading of a page: its title, also in the browser's tab, and one sentence. */
import type { ReactNode } from 'react';
import classes from './heading.module.css';

interface Props {
  readonly title: string;
  readonly children: ReactNode;
}

export function Heading({ title, children }: Props) {
  return (
    <div className={classes.heading}>
      <title>{`${title} · Spiral`}</title>
      <h1>{title}</h1>
      <p>{children}</p>
    </div>
  );
}
