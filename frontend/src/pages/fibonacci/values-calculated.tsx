/** Every value in the results hash, by index, as in the original demo. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { asApiError } from '../../api/problem';
import { valuesQuery } from '../../api/values';
import { CopyButton } from '../../components/copy-button';
import { Empty, Failed, LoadingRows } from '../../components/notice';
import { fibonacciDigits, formatDigits, formatNumber } from '../../components/numbers';
import { ValueText } from '../../components/value-text';
import classes from './fibonacci.module.css';

const FEW = 6;

export function ValuesCalculated() {
  const [all, setAll] = useState(false);
  const values = useQuery(valuesQuery);
  // An object's integer keys come in ascending order.
  const entries = values.data === undefined ? [] : Object.entries(values.data);
  return (
    <section aria-labelledby="values-calculated">
      <div className={classes.sectionHead}>
        <h2 id="values-calculated">Values calculated</h2>
        {values.isSuccess && <span className={classes.note}>{formatNumber(entries.length)}, by index</span>}
      </div>
      <div className={classes.card}>
        {values.isPending ? (
          <LoadingRows rows={2} what="the values" />
        ) : values.isError ? (
          <Failed title="The values could not be read" error={asApiError(values.error)} onRetry={() => void values.refetch()} />
        ) : entries.length === 0 ? (
          <Empty title="None yet">The first value appears here when a worker has calculated it.</Empty>
        ) : (
          <>
            <dl className={classes.rows}>
              {entries.slice(0, all ? undefined : FEW).map(([index, value]) => (
                <Value key={index} index={Number(index)} value={value} />
              ))}
            </dl>
            {entries.length > FEW && (
              <button
                type="button"
                className={classes.more}
                aria-expanded={all}
                onClick={() => {
                  setAll(!all);
                }}
              >
                {all ? 'Show fewer' : `Show all ${formatNumber(entries.length)}`}
              </button>
            )}
          </>
        )}
      </div>
    </section>
  );
}

function Value({ index, value }: { readonly index: number; readonly value: string }) {
  const digits = fibonacciDigits(index);
  const name = `F(${formatNumber(index)})`;
  return (
    <div className={classes.value}>
      <dt className={classes.name}>{name}</dt>
      <dd>
        <ValueText text={value} length={digits} keep={13} />
        {digits > 27 && <span className={classes.digits}>{formatDigits(digits)}</span>}
      </dd>
      <dd>{!value.includes('…') && <CopyButton what={name} load={() => value} />}</dd>
    </div>
  );
}
