/** Every function that can be called, and what its jobs are given. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type ReactElement } from 'react';
import { TextInput } from '@mantine/core';
import { functionsQuery } from '../api/functions';
import { asApiError } from '../api/problem';
import { Heading } from '../components/heading';
import { Empty, Failed, LoadingRows } from '../components/notice';
import { formatNumber } from '../components/numbers';
import classes from './functions.module.css';

export default function FunctionsPage(): ReactElement {
  const functions = useQuery(functionsQuery);
  const [text, setText] = useState('');
  const found = (functions.data ?? []).filter(({ name, description }) =>
    `${name} ${description}`.toLowerCase().includes(text.trim().toLowerCase()),
  );
  return (
    <>
      <Heading title="Functions">Choose a function to call it.</Heading>
      <TextInput
        className={classes.search ?? ''}
        label="Find a function"
        value={text}
        data-search
        onChange={(event) => {
          setText(event.currentTarget.value);
        }}
      />
      <div className={classes.card}>
        {functions.isPending ? (
          <LoadingRows rows={5} what="the functions" />
        ) : functions.isError ? (
          <Failed
            title="The functions could not be read"
            error={asApiError(functions.error)}
            onRetry={() => void functions.refetch()}
          />
        ) : found.length === 0 ? (
          <Empty title={text === '' ? 'No functions' : 'No functions match'}>
            {text === '' ? 'Add one in jobs/src/functions/ and one line in jobs/src/catalog.rs.' : 'Try another search.'}
          </Empty>
        ) : (
          <ul className={classes.list}>
            {found.map((each) => (
              <li key={each.name} className={classes.item}>
                <Link to="/functions/$name" params={{ name: each.name }} className={classes.name} data-row>
                  {each.name}
                </Link>
                <p className={classes.description}>{each.description}</p>
                <p className={classes.policy}>
                  {`Queue ${each.queue}, ${formatNumber(each.max_attempts)} attempts of at most ${formatNumber(each.timeout_seconds)} s`}
                </p>
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}
