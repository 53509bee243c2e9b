/** Every value in the results hash, as in the original demo; what was asked for last comes first. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { asApiError } from '../../api/problem';
import type { IndexSeen } from '../../api/types';
import { indicesQuery, valuesQuery } from '../../api/values';
import { CopyButton } from '../../components/copy-button';
import { Empty, Failed, LoadingRows } from '../../components/notice';
import { fibonacciDigits, formatDigits, formatNumber } from '../../components/numbers';
import { ValueText } from '../../components/value-text';
import classes from './fibonacci.module.css';

const FEW = 6;

export function ValuesCalculated() {
  const [all, setAll] = useState(false);
  const values = useQuery(valuesQuery);
  const { data: indices } = useQuery(indicesQuery);
  const entries = newestFirst(values.data ?? {}, indices ?? []);
  return (
    <section aria-labelledby="values-calculated">
      <div className={classes.sectionHead}>
        <h2 id="values-calculated">Values calculated</h2>
        {values.isSuccess && <span className={classes.note}>{formatNumber(entries.length)}, newest first</span>}
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
                <Value key={index} index={index} value={value} />
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

/** Values whose index is no longer among those remembered come last, the largest first. */
function newestFirst(values: Readonly<Record<string, string>>, indices: readonly IndexSeen[]): [number, string][] {
  const asked = new Map(indices.map(({ index }, place) => [index, place]));
  const place = (index: number) => asked.get(index) ?? Infinity;
  return Object.entries(values)
    .map(([index, value]): [number, string] => [Number(index), value])
    .sort(([a], [b]) => (place(a) === place(b) ? b - a : place(a) - place(b)));
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
