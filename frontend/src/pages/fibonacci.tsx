/** The demo: ask for a Fibonacci number, see what it is, watch the job live. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';
import { allJobs, jobListQuery } from '../api/jobs';
import { isFinal } from '../api/patch';
import { Heading } from '../components/heading';
import { Announcements } from './fibonacci/announcements';
import { DrawingPanel } from './fibonacci/drawing-panel';
import classes from './fibonacci/fibonacci.module.css';
import { IndexForm } from './fibonacci/index-form';
import { indexOfJob } from './fibonacci/index-of-job';
import { IndicesSeen } from './fibonacci/indices-seen';
import { LatestJobs } from './fibonacci/latest-jobs';
import { ValuesCalculated } from './fibonacci/values-calculated';

const jobsQuery = jobListQuery({ function: 'fibonacci' });

export default function FibonacciPage(): ReactElement {
  const [text, setText] = useState('');
  const [drawn, setDrawn] = useState<number | null>(null);
  const [asked, setAsked] = useState<readonly string[]>([]);
  const { data } = useInfiniteQuery(jobsQuery);
  const jobs = data === undefined ? [] : allJobs(data);

  const choose = (index: number) => {
    setText(String(index));
    setDrawn(index);
  };

  return (
    <>
      <div className={classes.top}>
        <div className={classes.ask}>
          <Heading title="Fibonacci, to the last digit">
            Choose an index. A worker calculates the number, and it appears here the moment it is known.
          </Heading>
          <IndexForm
            text={text}
            onText={setText}
            onIndex={setDrawn}
            onAsked={(id) => {
              setAsked((ids) => [...ids.slice(-19), id]);
            }}
          />
        </div>
        <DrawingPanel
          index={drawn}
          busy={jobs.some((job) => indexOfJob(job) === drawn && drawn !== null && !isFinal(job.state))}
        />
      </div>
      <LatestJobs />
      <div className={classes.lists}>
        <IndicesSeen onChoose={choose} />
        <ValuesCalculated />
      </div>
      <Announcements asked={asked} jobs={jobs} />
    </>
  );
}
