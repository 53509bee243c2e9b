/** One job, live: where it stands, what it went through, what went in, what came out and what it said meanwhile. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';
import { jobQuery } from '../api/jobs';
import { isFinal } from '../api/patch';
import type { Job, JobDetail } from '../api/types';
import { Detail, Details } from '../components/details';
import { JobStateBadge } from '../components/job-state';
import { JsonView } from '../components/json-view';
import { Moment } from '../components/moment';
import { ProgressBar } from '../components/progress-bar';
import { callText } from './job-text';
import { TagLinks } from './job/tag-links';
import classes from './job.module.css';
import { Attempts } from './job/attempts';
import { JobActions } from './job/job-actions';
import { Log } from './job/log';
import { Output } from './job/output';
import { TimelineList } from './job/timeline-list';
import { WaitingText } from './job/waiting';
import { Section } from './section';
import { Thing } from './thing';

const route = getRouteApi('/jobs/$id');

export default function JobPage(): ReactElement {
  const { id } = route.useParams();
  const job = useQuery(jobQuery(id));
  return (
    <Thing
      what="job"
      to="/jobs"
      all="jobs"
      query={job}
      title={job.data === undefined ? 'Job' : callText(job.data)}
      about={<span className={classes.id}>{id}</span>}
      rows={6}
      pixels={420}
    >
      {(data) => <Parts key={id} job={data} />}
    </Thing>
  );
}

function Parts({ job }: { readonly job: JobDetail }) {
  return (
    <>
      <div className={classes.bar}>
        <JobStateBadge state={job.state} />
        {hasProgress(job) && <ProgressBar share={job.progress ?? 0} label="Progress of this job" />}
        <JobActions job={job} />
      </div>
      <div className={classes.parts}>
        <div className={classes.column}>
          <Section title="Input" padded>
            <JsonView value={job.input} what="the input" fileName={`${job.function}-${job.id}-input.json`} />
          </Section>
          <Output job={job} />
          <Section title="Details">
            <JobDetails job={job} />
          </Section>
        </div>
        <div className={classes.column}>
          <Section title="Timeline">
            <TimelineList job={job} />
          </Section>
        </div>
      </div>
      <div className={classes.rest}>
        {job.attempts.length > 0 && (
          <Section title="Attempts">
            <Attempts attempts={job.attempts} />
          </Section>
        )}
        <Log job={job} />
      </div>
    </>
  );
}

/** Every attempt begins at 0, also of a function that never says how far it is. */
function hasProgress(job: Job): boolean {
  return job.state === 'running' && (job.progress ?? 0) > 0;
}

function JobDetails({ job }: { readonly job: JobDetail }) {
  return (
    <Details>
      <Detail name="Function">
        <Link to="/functions/$name" params={{ name: job.function }}>
          {job.function}
        </Link>
      </Detail>
      <Detail name="Queue">
        <Link to="/queues">{job.queue}</Link>
      </Detail>
      {job.waiting != null && (
        <Detail name="Position">
          <WaitingText waiting={job.waiting} />
        </Detail>
      )}
      {job.schedule_id != null && (
        <Detail name="Created by">
          <Link to="/schedules/$id" params={{ id: job.schedule_id }}>
            a schedule
          </Link>
        </Detail>
      )}
      {job.batch_id != null && (
        <Detail name="Part of">
          <Link to="/batches/$id" params={{ id: job.batch_id }}>
            a batch
          </Link>
        </Detail>
      )}
      <Detail name="Priority">{`${job.priority} (1 runs first, 9 last)`}</Detail>
      {job.fairness_key != null && <Detail name="Fairness key">{job.fairness_key}</Detail>}
      {job.tags.length > 0 && (
        <Detail name={job.tags.length === 1 ? 'Tag' : 'Tags'}>
          <TagLinks tags={job.tags} />
        </Detail>
      )}
      <Detail name="Attempts">{`${job.attempt} of ${job.max_attempts}`}</Detail>
      <Detail name="Created">
        <Moment at={job.created_at} />
      </Detail>
      {job.run_at != null && !isFinal(job.state) && (
        <Detail name="Runs at">
          <Moment at={job.run_at} />
        </Detail>
      )}
      {job.finished_at != null && (
        <Detail name="Finished">
          <Moment at={job.finished_at} />
        </Detail>
      )}
    </Details>
  );
}
