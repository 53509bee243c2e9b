/** A strip below the header with what an operator should set right before it costs jobs. Nothing is there to warn of, mostly. */
import { useQuery } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { warningsQuery } from '../api/readiness';
import classes from './warnings.module.css';

export function Warnings(): ReactElement | null {
  const { data: warnings = [] } = useQuery(warningsQuery);
  if (warnings.length === 0) return null;
  return (
    <section className={classes.strip} aria-label="Warnings">
      <ul className={classes.list}>
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </section>
  );
}
