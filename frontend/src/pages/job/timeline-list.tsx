/** The timeline of a job, on the screen. Of very many steps only the first and the last show until all are asked for. */
import { useState } from 'react';
import type { JobDetail } from '../../api/types';
import { Elapsed } from '../../components/age';
import { JobStateMark } from '../../components/job-state';
import { clockTime, durationText, exactTime } from '../../components/time-text';
import { timelineOf, type Span, type Step } from './timeline';
import classes from './timeline-list.module.css';

const FIRST = 3;
const LAST = 6;

export function TimelineList({ job }: { readonly job: JobDetail }) {
  const [all, setAll] = useState(false);
  const steps = timelineOf(job);
  const hidden = all ? 0 : Math.max(0, steps.length - FIRST - LAST - 1);
  return (
    <ol className={classes.steps}>
      {steps.map((step, place) =>
        hidden > 0 && place >= FIRST && place < FIRST + hidden ? (
          place === FIRST && (
            <li key={place} className={classes.step}>
              <button
                type="button"
                className={classes.more}
                onClick={() => {
                  setAll(true);
                }}
              >
                {`Show ${hidden} more steps`}
              </button>
            </li>
          )
        ) : (
          <StepItem key={place} step={step} />
        ),
      )}
    </ol>
  );
}

function StepItem({ step }: { readonly step: Step }) {
  return (
    <li className={classes.step}>
      <span className={classes.mark}>
        <JobStateMark state={step.state} />
      </span>
      <span className={classes.name}>{step.name}</span>
      {step.at !== null && (
        <time className={classes.time} dateTime={step.at} title={exactTime(step.at)}>
          {clockTime(step.at)}
        </time>
      )}
      {step.by !== null && <span className={classes.by}>{step.by}</span>}
      {step.spans.map((span) => (
        <SpanLine key={span.what} span={span} />
      ))}
      {step.failure !== null && <span className={classes.failure}>{`Failed: ${step.failure}`}</span>}
    </li>
  );
}

function SpanLine({ span: { what, from, to } }: { readonly span: Span }) {
  return (
    <span className={classes.span}>
      <span className={classes.what}>{what}</span>
      <span className={classes.length}>{to === null ? <Elapsed since={from} /> : durationText(from, to)}</span>
    </span>
  );
}
