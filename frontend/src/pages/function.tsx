/** One function: a form to call it, made from its JSON Schema, and what becomes of the jobs that were called here. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState, type ReactElement } from 'react';
import { functionsQuery } from '../api/functions';
import { jobQuery, type Called } from '../api/jobs';
import { asApiError } from '../api/problem';
import { Heading } from '../components/heading';
import { JsonView } from '../components/json-view';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { BackLink } from './back-link';
import { searchFor } from './job-search';
import classes from './function.module.css';
import { CallForm } from './function/call-form';
import { CalledJobs } from './function/called-jobs';
import { Section } from './section';

const route = getRouteApi('/functions/$name');
/** Calls that are remembered on the page. */
const KEPT = 10;

export default function FunctionPage(): ReactElement {
  const { name } = route.useParams();
  const { from } = route.useSearch();
  const functions = useQuery(functionsQuery);
  // "Call again": the form begins with what an earlier job was given.
  const model = useQuery({ ...jobQuery(from ?? ''), enabled: from !== undefined });
  const [called, setCalled] = useState<readonly Called[]>([]);
  const found = functions.data?.find((each) => each.name === name);
  const modelPending = from !== undefined && model.isPending;

  return (
    <>
      <BackLink to="/functions">All functions</BackLink>
      <Heading title={name}>{found?.description ?? 'A function'}</Heading>
      {functions.isPending || modelPending ? (
        <div className={classes.card}>
          <LoadingRows rows={6} what="the function" />
        </div>
      ) : functions.isError ? (
        <div className={classes.card}>
          <Failed
            title="The function could not be read"
            error={asApiError(functions.error)}
            onRetry={() => void functions.refetch()}
          />
        </div>
      ) : found === undefined ? (
        <div className={classes.card}>
          <Empty title="Function not found">
            It may have been removed, or the address is mistyped. <Link to="/functions">See all functions</Link>
          </Empty>
        </div>
      ) : (
        <div className={classes.parts}>
          <Section title={from === undefined ? 'Call' : 'Edit and replay'} padded>
            {model.isError && (
              <p className={classes.bad} role="alert">
                {`The earlier job could not be read: ${asApiError(model.error).message}`}
              </p>
            )}
            <CallForm
              key={`${name} ${from ?? ''}`}
              called={found}
              model={model.data ?? null}
              onCalled={(next) => {
                setCalled((before) => [next, ...before.filter(({ job }) => job.id !== next.job.id)].slice(0, KEPT));
              }}
            />
          </Section>
          <div className={classes.column}>
            <Section
              title="Recent calls"
              aside={
                <Link to="/jobs" search={searchFor({ function: name })}>
                  View jobs
                </Link>
              }
            >
              <CalledJobs called={called} />
            </Section>
            <Section title="Input schema" padded>
              <JsonView value={found.input_schema} what="the input schema" fileName={`${name}-input.json`} />
            </Section>
            <Section title="Output schema" padded>
              <JsonView value={found.output_schema} what="the output schema" fileName={`${name}-output.json`} />
            </Section>
          </div>
        </div>
      )}
    </>
  );
}
