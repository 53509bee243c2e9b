/** Which columns the table shows. On a narrow screen there is no room for a choice. */
import { COLUMNS, type ColumnKey } from './columns';
import classes from './jobs.module.css';

interface Props {
  readonly shown: ReadonlySet<ColumnKey>;
  readonly onChange: (shown: ReadonlySet<ColumnKey>) => void;
}

export function ColumnChoice({ shown, onChange }: Props) {
  return (
    <details
      className={classes.choice}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.currentTarget.open = false;
        event.currentTarget.querySelector('summary')?.focus();
      }}
      onBlur={({ currentTarget, relatedTarget }) => {
        if (relatedTarget !== null && !currentTarget.contains(relatedTarget)) currentTarget.open = false;
      }}
    >
      <summary className={classes.choiceButton}>Columns</summary>
      <div className={classes.choiceList} role="group" aria-label="Columns">
        {COLUMNS.map(({ key, name }) => (
          <label key={key} className={classes.choiceItem}>
            <input
              type="checkbox"
              checked={shown.has(key)}
              onChange={(event) => {
                const next = new Set(shown);
                if (event.currentTarget.checked) next.add(key);
                else next.delete(key);
                onChange(next);
              }}
            />
            {name}
          </label>
        ))}
      </div>
    </details>
  );
}
