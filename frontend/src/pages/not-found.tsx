/** Shown for every address that is no page. */
import { Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { Heading } from '../components/heading';
import { SpiralDrawing } from '../components/spiral-drawing';
import classes from './not-found.module.css';

export default function NotFound(): ReactElement {
  return (
    <div className={classes.page}>
      <div>
        <Heading title="Page not found">The address may be mistyped, or the page has moved.</Heading>
        <p className={classes.links}>
          <Link to="/">Calculate a Fibonacci number</Link>
          <Link to="/jobs">See all jobs</Link>
        </p>
      </div>
      <div className={classes.drawing} aria-hidden="true">
        <SpiralDrawing index={404} busy={false} />
      </div>
    </div>
  );
}
