/** JSON as a tree that folds, or raw; copied and saved as a whole. */
import { ActionIcon } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useState } from 'react';
import { ExactNumber, stringifyExact } from '../exact-json';
import { CopyButton } from './copy-button';
import { JsonTree } from './json-tree';
import classes from './json-view.module.css';
import { saveText } from './save-text';

interface Props {
  readonly value: unknown;
  /** What it is, in a sentence: "the input". */
  readonly what: string;
  readonly fileName: string;
}

export function JsonView({ value, what, fileName }: Props) {
  const [raw, setRaw] = useState(false);
  const text = stringifyExact(value, 2);
  const branches = typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
  return (
    <div className={classes.view}>
      <div className={classes.tools}>
        {branches && (
          <button
            type="button"
            className={classes.raw}
            aria-pressed={raw}
            onClick={() => {
              setRaw(!raw);
            }}
          >
            Raw
          </button>
        )}
        <CopyButton what={what} load={() => text} />
        <ActionIcon
          size={36}
          title={`Download ${what}`}
          aria-label={`Download ${what}`}
          onClick={() => {
            saveText(text, fileName);
          }}
        >
          <IconDownload size={18} />
        </ActionIcon>
      </div>
      {raw ? (
        <pre className={classes.text} tabIndex={0} aria-label={`${what}, raw`}>
          {text}
        </pre>
      ) : (
        <div className={classes.text} role="group" tabIndex={0} aria-label={what}>
          <JsonTree value={value} />
        </div>
      )}
    </div>
  );
}
