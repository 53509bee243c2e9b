/** The jobs that were called on this page, live, with their outcome in words for a screen reader. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { jobQuery, type Called } from '../../api/jobs';
import { isFinal } from '../../api/patch';
import type { Job } from '../../api/types';
import { JobStateBadge } from '../../components/job-state';
import { Empty } from '../../components/notice';
import { shortenMiddle } from '../../components/shorten';
import { ValueText } from '../../components/value-text';
import { callText, outputText } from '../job-text';
import classes from './called-jobs.module.css';

export function CalledJobs({ called }: { readonly called: readonly Called[] }) {
  const [newest] = called;
  return (
    <>
      {newest === undefined ? (
        <Empty title="No calls yet">The job of your call appears here and is live.</Empty>
      ) : (
        <ol className={classes.list}>
          {called.map((each) => (
            <CalledJob key={each.job.id} called={each} />
          ))}
        </ol>
      )}
      {newest !== undefined && <Announcement key={newest.job.id} job={newest.job} />}
    </>
  );
}

/** The job as it is now; what the call answered until it has been read. */
function useLiveJob(job: Job): Job {
  return useQuery(jobQuery(job.id)).data ?? job;
}

function CalledJob({ called: { job: first, replayed } }: { readonly called: Called }) {
  const job = useLiveJob(first);
  const output = outputText(job);
  return (
    <li className={classes.job}>
      <JobStateBadge state={job.state} />
      <Link to="/jobs/$id" params={{ id: job.id }} className={classes.call} data-row>
        {callText(job)}
      </Link>
      <span className={classes.outcome} data-failed={(job.error != null && job.state !== 'completed') || undefined}>
        {output !== null ? (
          <ValueText text={output} length={job.output_length ?? output.length} keep={24} />
        ) : job.error != null ? (
          shortenMiddle(job.error.message, 60).text
        ) : replayed ? (
          'An earlier job holds this key; no new job was created.'
        ) : null}
      </span>
    </li>
  );
}

/** One sentence when it is called, one when it is over. */
function Announcement({ job: first }: { readonly job: Job }) {
  const job = useLiveJob(first);
  return (
    <div className="visually-hidden" role="status">
      {isFinal(job.state) ? `${callText(job)} is ${job.state}.` : `${callText(job)} is in progress.`}
    </div>
  );
}
