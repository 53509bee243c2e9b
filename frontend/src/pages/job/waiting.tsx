/** Where a queued job stands in its queue, and when its turn likely comes. */
import type { JobDetail } from '../../api/types';
import { Age } from '../../components/age';
import { formatNumber } from '../../components/numbers';

export function WaitingText({ waiting }: { readonly waiting: NonNullable<JobDetail['waiting']> }) {
  const { position, exact, estimated_start: start } = waiting;
  return (
    <>
      {position === 1 ? 'Next' : `${exact ? '' : 'About '}${formatNumber(position - 1)} ahead`}
      {start != null && (
        <>
          , likely to start <Age at={start} ahead />
        </>
      )}
    </>
  );
}
