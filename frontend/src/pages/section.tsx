/** A part of a page: its heading, what belongs beside it, and a card with the content. */
import { useId, type ReactElement, type ReactNode } from 'react';
import classes from './section.module.css';

interface Props {
  readonly title: string;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
  /** Room around the content; lists and tables bring their own. */
  readonly padded?: boolean;
}

export function Section({ title, aside, children, padded = false }: Props): ReactElement {
  const id = useId();
  return (
    <section className={classes.section} aria-labelledby={id}>
      <div className={classes.head}>
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      <div className={classes.card} data-padded={padded || undefined}>
        {children}
      </div>
    </section>
  );
}
