/** What a cron text means, and the next five times; or what is wrong with it. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { asApiError } from '../../api/problem';
import { previewQuery } from '../../api/schedules';
import { DueTimes } from './due-times';
import classes from './schedule-form.module.css';

export function CronPreview({ cron, timeZone }: { readonly cron: string; readonly timeZone: string }) {
  const preview = useQuery({ ...previewQuery(cron, timeZone), placeholderData: keepPreviousData });
  const meaning = cron.trim() === '' || preview.isError ? undefined : preview.data;
  return (
    <div className={classes.preview}>
      {/* Not the times as well: they change with every second, and would be read out each time. */}
      <div role="status" aria-label="What it means">
        {cron.trim() === '' ? (
          <p className={classes.quiet}>The meaning of the cron expression appears here while you type: try 0 8 * * 1-5</p>
        ) : preview.isError ? (
          <p className={classes.bad}>{asApiError(preview.error).message}</p>
        ) : (
          <p className={meaning === undefined ? classes.quiet : classes.description}>{meaning?.description ?? 'Loading …'}</p>
        )}
      </div>
      {meaning !== undefined && (
        <>
          <p className={classes.quiet}>In your time zone:</p>
          <DueTimes times={meaning.next_times} className={classes.times ?? ''} />
        </>
      )}
    </div>
  );
}
