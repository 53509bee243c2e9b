/** One of a few: radio buttons, which every keyboard knows. */
import classes from './settings.module.css';

interface Props<T extends string> {
  readonly title: string;
  readonly name: string;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

export function Choice<T extends string>({ title, name, options, value, onChange }: Props<T>) {
  return (
    <fieldset className={classes.choice}>
      <legend className={classes.title}>{title}</legend>
      {options.map((option) => (
        <label key={option.value} className={classes.option}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => {
              onChange(option.value);
            }}
          />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}
