/** The newest Fibonacci jobs, moving through their states as the stream says. */
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { allJobs, jobListQuery } from '../../api/jobs';
import { asApiError } from '../../api/problem';
import { Empty, Failed, LoadingRows } from '../../components/notice';
import { searchFor } from '../job-search';
import classes from './fibonacci.module.css';
import { JobRow } from './job-row';

const SHOWN = 6;
const jobsQuery = jobListQuery({ function: 'fibonacci' });

export function LatestJobs() {
  const jobs = useInfiniteQuery(jobsQuery);
  return (
    <section className={classes.section} aria-labelledby="latest-jobs">
      <div className={classes.sectionHead}>
        <h2 id="latest-jobs">Latest jobs</h2>
        <Link to="/jobs" search={searchFor({ function: 'fibonacci' })}>
          All Fibonacci jobs
        </Link>
      </div>
      <div className={`${classes.card} ${classes.jobs}`}>
        {jobs.isPending ? (
          <LoadingRows rows={SHOWN} what="jobs" />
        ) : jobs.isError ? (
          <Failed title="The jobs could not be read" error={asApiError(jobs.error)} onRetry={() => void jobs.refetch()} />
        ) : allJobs(jobs.data).length === 0 ? (
          <Empty title="No jobs yet">Type an index above and press Enter: your job appears here and is live.</Empty>
        ) : (
          <ol className={classes.rows}>
            {allJobs(jobs.data)
              .slice(0, SHOWN)
              .map((job) => (
                <JobRow key={job.id} job={job} />
              ))}
          </ol>
        )}
      </div>
    </section>
  );
}
