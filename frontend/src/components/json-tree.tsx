/** A JSON value as lines that fold. Large branches come folded, long texts shortened, long lists a part at a time. */
import { useState } from 'react';
import { ExactNumber, stringifyExact } from '../exact-json';
import classes from './json-view.module.css';
import { formatNumber } from './numbers';
import { shortenMiddle } from './shorten';

/** Deeper than this, or with more entries, a branch comes folded. */
const OPEN_DEPTH = 3;
const OPEN_ENTRIES = 30;
/** Entries that are shown at a time. */
const PART = 100;
/** Characters of a text that are kept at each end. */
const KEEP = 200;

interface Props {
  readonly value: unknown;
  readonly name?: string;
  readonly depth?: number;
}

export function JsonTree({ value, name, depth = 0 }: Props) {
  return typeof value === 'object' && value !== null && !(value instanceof ExactNumber) && Object.keys(value).length > 0 ? (
    <Branch value={value} depth={depth} {...(name === undefined ? {} : { name })} />
  ) : (
    <div>
      <Name name={name} />
      <Leaf value={value} />
    </div>
  );
}

function Branch({ value, name, depth }: { readonly value: object; readonly name?: string; readonly depth: number }) {
  const list = Array.isArray(value);
  const entries = Object.entries(value) as [string, unknown][];
  const [open, setOpen] = useState(depth === 0 || (depth < OPEN_DEPTH && entries.length <= OPEN_ENTRIES));
  const [shown, setShown] = useState(PART);
  const size = `${formatNumber(entries.length)} ${list ? 'item' : 'field'}${entries.length === 1 ? '' : 's'}`;
  return (
    <>
      <div>
        <button
          type="button"
          className={classes.fold}
          aria-expanded={open}
          aria-label={name === undefined ? size : `${name}, ${size}`}
          onClick={() => {
            setOpen(!open);
          }}
        >
          <span className={classes.arrow} aria-hidden="true" />
          <Name name={name} />
          <span>{list ? '[' : '{'}</span>
          {!open && (
            <>
              <span className={classes.quiet}>{size}</span>
              <span>{list ? ']' : '}'}</span>
            </>
          )}
        </button>
      </div>
      {open && (
        <>
          <div className={classes.inside}>
            {entries.slice(0, shown).map(([key, entry]) => (
              <JsonTree key={key} value={entry} depth={depth + 1} {...(list ? {} : { name: key })} />
            ))}
            {entries.length > shown && (
              <button
                type="button"
                className={classes.more}
                onClick={() => {
                  setShown(shown + PART);
                }}
              >
                {`Show ${formatNumber(Math.min(PART, entries.length - shown))} more of ${formatNumber(entries.length)}`}
              </button>
            )}
          </div>
          <div>{list ? ']' : '}'}</div>
        </>
      )}
    </>
  );
}

function Name({ name }: { readonly name: string | undefined }) {
  return name === undefined ? null : <span className={classes.name}>{`${name}: `}</span>;
}

function Leaf({ value }: { readonly value: unknown }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== 'string') {
    const isNumber = typeof value === 'number' || value instanceof ExactNumber;
    return <span className={isNumber ? classes.number : classes.word}>{stringifyExact(value)}</span>;
  }
  const short = shortenMiddle(value, KEEP);
  const cut = value.length > short.text.length && !whole;
  return (
    <>
      <span className={classes.string}>{JSON.stringify(cut ? short.text : value)}</span>
      {cut && (
        <button
          type="button"
          className={classes.more}
          onClick={() => {
            setWhole(true);
          }}
        >
          {`Show all ${formatNumber(value.length)} characters`}
        </button>
      )}
    </>
  );
}
