/** Every index that anybody has asked for, newest first, as in the original demo. A click puts it into the form. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { asApiError } from '../../api/problem';
import { indicesQuery } from '../../api/values';
import { Empty, Failed, LoadingRows } from '../../components/notice';
import { formatNumber } from '../../components/numbers';
import classes from './fibonacci.module.css';

const FEW = 24;

export function IndicesSeen({ onChoose }: { readonly onChoose: (index: number) => void }) {
  const [all, setAll] = useState(false);
  const indices = useQuery(indicesQuery);
  return (
    <section aria-labelledby="indices-seen">
      <div className={classes.sectionHead}>
        <h2 id="indices-seen">Indices seen</h2>
        {indices.isSuccess && <span className={classes.note}>{formatNumber(indices.data.length)}, newest first</span>}
      </div>
      <div className={classes.card}>
        {indices.isPending ? (
          <LoadingRows rows={2} what="the indices" />
        ) : indices.isError ? (
          <Failed
            title="The indices could not be read"
            error={asApiError(indices.error)}
            onRetry={() => void indices.refetch()}
          />
        ) : indices.data.length === 0 ? (
          <Empty title="None yet">Requested indices appear here.</Empty>
        ) : (
          <>
            <ul className={classes.chips}>
              {indices.data.slice(0, all ? undefined : FEW).map(({ index, times_asked }) => (
                <li key={index}>
                  <button
                    type="button"
                    className={classes.chip}
                    title="Put this index into the form"
                    onClick={() => {
                      onChoose(index);
                    }}
                  >
                    {formatNumber(index)}
                    {times_asked > 1 && <span className={classes.times}>{`${formatNumber(times_asked)} times`}</span>}
                  </button>
                </li>
              ))}
            </ul>
            {indices.data.length > FEW && (
              <button
                type="button"
                className={classes.more}
                aria-expanded={all}
                onClick={() => {
                  setAll(!all);
                }}
              >
                {all ? 'Show fewer' : `Show all ${formatNumber(indices.data.length)}`}
              </button>
            )}
          </>
        )}
      </div>
    </section>
  );
}
