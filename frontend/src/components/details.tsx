/** What is known of a thing: a list of names, each with its value. */
import type { ReactNode } from 'react';
import classes from './details.module.css';

interface Props {
  /** Room for names of several words; on a narrow screen they stand above their values. */
  readonly long?: boolean;
  readonly children: ReactNode;
}

export function Details({ long = false, children }: Props) {
  return (
    <dl className={classes.details} data-long={long || undefined}>
      {children}
    </dl>
  );
}

export function Detail({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div className={classes.detail}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
