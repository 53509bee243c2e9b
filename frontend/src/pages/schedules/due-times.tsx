/** The next due times, each exactly and how far off. */
import { Moment } from '../../components/moment';

export function DueTimes({ times, className }: { readonly times: readonly string[]; readonly className: string }) {
  if (times.length === 0) return <p className={className}>No further runs.</p>;
  return (
    <ol className={className} aria-label="In your time zone">
      {times.map((at) => (
        <li key={at}>
          <Moment at={at} />
        </li>
      ))}
    </ol>
  );
}
