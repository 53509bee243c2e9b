/** Above the heading of one thing: the way to all of them. */
import { Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import classes from './back-link.module.css';
import type { PAGES } from './page-list';

interface Props {
  readonly to: (typeof PAGES)[number]['to'];
  /** "All jobs". */
  readonly children: string;
}

export function BackLink({ to, children }: Props): ReactElement {
  return (
    <Link to={to} className={classes.back}>
      {children}
    </Link>
  );
}
