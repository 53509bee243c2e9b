/** The search over jobs, with what could be typed next below it: a combobox, after the ARIA pattern of that name. */
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';
import { tagsQuery } from '../../api/tags';
import classes from './search-box.module.css';
import { markedAt, misreadOf, suggest, tagAt, type Known, type Suggestion } from './suggestions';

interface Props {
  /** What is searched for now. */
  readonly query: string;
  readonly known: Omit<Known, 'tags'>;
  /** What the API says is wrong with it. */
  readonly error: string | null;
  readonly onSearch: (query: string) => void;
}

export function SearchBox({ query, known, error, onSearch }: Props): ReactElement {
  const [text, setText] = useState(query);
  const [shown, setShown] = useState(query);
  // The address has changed: by a link, or by going back.
  if (shown !== query) {
    setShown(query);
    setText(query);
  }
  const [caret, setCaret] = useState(0);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  // Where the caret belongs once the text that was chosen is in the field: before the next key is pressed.
  const caretTo = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (caretTo.current === null) return;
    input.current?.focus();
    input.current?.setSelectionRange(caretTo.current, caretTo.current);
    caretTo.current = null;
  });
  const id = useId();
  const tag = open ? tagAt(text, caret) : null;
  const { data: tags = [] } = useQuery({ ...tagsQuery(tag ?? ''), enabled: tag !== null });
  const { from, to, list } = suggest(text, caret, { ...known, tags });
  const listed = open && list.length > 0;

  const search = (next: string) => {
    setOpen(false);
    onSearch(next.trim());
  };
  const choose = (suggestion: Suggestion) => {
    const next = text.slice(0, from) + suggestion.text + text.slice(to).replace(/^\s/u, '');
    const place = from + suggestion.text.length;
    setText(next);
    setCaret(place);
    setActive(-1);
    // After a value the next term is up to whoever types.
    setOpen(!suggestion.text.endsWith(' '));
    caretTo.current = place;
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && list.length > 0) {
      event.preventDefault();
      setOpen(true);
      // Beyond the ends is the text itself.
      setActive(((active + 1 + step + list.length + 1) % (list.length + 1)) - 1);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const chosen = listed ? list[active] : undefined;
      if (chosen === undefined) search(text);
      else choose(chosen);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (!listed) setText(query);
      setOpen(false);
      setActive(-1);
    }
  };

  return (
    <search className={classes.search}>
      <div className={classes.line}>
        <div className={classes.field}>
          <input
            ref={input}
            data-search
            className={classes.input}
            role="combobox"
            aria-label="Search the jobs"
            aria-autocomplete="list"
            aria-expanded={listed}
            aria-controls={`${id}-list`}
            aria-activedescendant={listed && active >= 0 ? `${id}-${active}` : undefined}
            aria-invalid={error !== null}
            aria-describedby={error === null ? undefined : `${id}-error`}
            placeholder='Search: state:dead index>1000 "timed out"'
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            maxLength={2000}
            value={text}
            onChange={({ currentTarget }) => {
              setText(currentTarget.value);
              setCaret(currentTarget.selectionStart ?? currentTarget.value.length);
              setOpen(true);
              setActive(-1);
            }}
            onSelect={({ currentTarget }) => {
              setCaret(currentTarget.selectionStart ?? currentTarget.value.length);
            }}
            onKeyDown={onKey}
            onBlur={() => {
              setOpen(false);
            }}
          />
          <ul id={`${id}-list`} role="listbox" aria-label="Suggestions" className={classes.list} hidden={!listed}>
            {listed &&
              list.map((suggestion, index) => (
                <li
                  key={suggestion.text}
                  id={`${id}-${index}`}
                  role="option"
                  aria-selected={index === active}
                  className={classes.option}
                  // The field keeps the focus.
                  onMouseDown={(event) => {
                    event.preventDefault();
                  }}
                  onClick={() => {
                    choose(suggestion);
                  }}
                >
                  <span className={classes.text}>{suggestion.text.trim()}</span>
                  {suggestion.hint !== '' && <span className={classes.hint}>{suggestion.hint}</span>}
                </li>
              ))}
          </ul>
        </div>
        <Button
          size="sm"
          onClick={() => {
            search(text);
          }}
        >
          Search
        </Button>
        {query !== '' && (
          <Button
            variant="default"
            size="sm"
            onClick={() => {
              input.current?.focus();
              search('');
            }}
          >
            Clear
          </Button>
        )}
      </div>
      {error !== null && (
        <div id={`${id}-error`} role="alert" className={classes.error}>
          <Wrong query={query} error={error} />
        </div>
      )}
    </search>
  );
}

/** The search once more, with a mark where it is wrong. */
function Wrong({ query, error }: { readonly query: string; readonly error: string }) {
  const misread = misreadOf(error);
  if (misread === null) return <p>{`The search cannot be read: ${error}.`}</p>;
  const { before, marked, after } = markedAt(query, misread.at);
  return (
    <>
      <p>{`At character ${misread.at}: ${misread.message}.`}</p>
      <p className={classes.again} aria-hidden="true">
        {before}
        <mark className={classes.mark}>{marked === '' ? '…' : marked}</mark>
        {after}
      </p>
      <p>Terms look like state:dead or index&gt;1000; put any other text in quotes.</p>
    </>
  );
}
