/** What came out of a job, or why nothing did. A large output shows its two ends until it is asked for. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { isFinal } from '../../api/patch';
import { asApiError } from '../../api/problem';
import { outputQuery } from '../../api/jobs';
import type { Job } from '../../api/types';
import { JsonView } from '../../components/json-view';
import { formatNumber } from '../../components/numbers';
import { parseExact } from '../../exact-json';
import { ValueText } from '../../components/value-text';
import { outputText } from '../job-text';
import { OutputActions } from '../output-actions';
import { Section } from '../section';
import classes from './output.module.css';

/** Larger ones would make the page slow; they can be copied and saved. */
const SHOWN_BYTES = 1024 * 1024;
/** Characters of a text that are kept at each end. */
const KEEP = 100;

export function Output({ job }: { readonly job: Job }) {
  const failed = job.error != null && job.state !== 'completed';
  return (
    <Section title={failed ? 'Error' : 'Output'} padded>
      {failed ? (
        <p className={classes.bad}>{`${job.error?.kind ?? ''}: ${job.error?.message ?? ''}`}</p>
      ) : job.state === 'completed' ? (
        // Another attempt has another output: nothing of the one before is shown.
        <Value key={job.attempt} job={job} />
      ) : (
        <p className={classes.quiet}>{isFinal(job.state) ? 'No output' : 'No output yet'}</p>
      )}
    </Section>
  );
}

function Value({ job }: { readonly job: Job }) {
  const [whole, setWhole] = useState(false);
  const output: unknown = job.output;
  const text = outputText(job) ?? '';
  // `null` is an output as well: then its JSON text has four bytes.
  const isHere = output !== null || (job.output_size ?? 0) <= 4;
  if (isHere && typeof output !== 'string') {
    return <JsonView value={output} what="the output" fileName={`${job.function}-${job.id}.json`} />;
  }
  const canShow = text.length < (job.output_length ?? job.output_size ?? 0) && (job.output_size ?? Infinity) <= SHOWN_BYTES;
  return (
    <>
      {whole ? <Whole job={job} /> : <ValueText text={text} length={job.output_length ?? text.length} keep={KEEP} />}
      <span className={classes.actions}>
        <span>{sizeText(job)}</span>
        <OutputActions job={job} what="the output" />
        {(canShow || text.length > 2 * KEEP + 1) && !whole && (
          <button
            type="button"
            className={classes.more}
            onClick={() => {
              setWhole(true);
            }}
          >
            Show all
          </button>
        )}
      </span>
    </>
  );
}

function sizeText(job: Job): string {
  if (job.output_length != null) return `${formatNumber(job.output_length)} characters`;
  return job.output_size == null ? '' : `${formatNumber(job.output_size)} bytes`;
}

function Whole({ job }: { readonly job: Job }) {
  const output = useQuery(outputQuery(job));
  if (output.isError) {
    return (
      <p className={classes.bad} role="alert">
        {`It could not be read: ${asApiError(output.error).message}`}
      </p>
    );
  }
  if (output.data === undefined) return <p className={classes.quiet}>Loading …</p>;
  // Text that is not a string's is JSON.
  if (job.output_length == null) {
    const value = parseExact(output.data);
    return <JsonView value={value} what="the output" fileName={`${job.function}-${job.id}.json`} />;
  }
  return (
    <pre className={classes.whole} tabIndex={0} aria-label="the output">
      {output.data}
    </pre>
  );
}
