/** In the place of a page until it is known who looks: what they may not see must not be asked for. */
import { useQuery } from '@tanstack/react-query';
import type { ReactElement } from 'react';
import { asApiError } from '../api/problem';
import { sessionQuery } from '../api/session';
import { Failed, LoadingRows } from '../components/notice';

export function SessionWait(): ReactElement {
  const { error, failureReason, refetch } = useQuery(sessionQuery);
  // It is tried again by itself while the API is away.
  const reason = error ?? failureReason;
  if (reason === null) return <LoadingRows rows={8} what="the page" />;
  return <Failed title="Spiral could not be read" error={asApiError(reason)} onRetry={() => void refetch()} />;
}
