/** One field to everything: pages, functions to call, queues, a job by its id, a search, and what can be done anywhere. */
import { useMantineColorScheme } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';
import { functionsQuery } from '../api/functions';
import { asApiError } from '../api/problem';
import { putQueue, queuesQuery, setQueuePaused } from '../api/queues';
import { Dialog } from '../components/dialog';
import { tellOutcome } from '../components/outcome';
import { PAGES } from './page-list';
import classes from './palette.module.css';
import { useMayChange, useSession } from './access';
import { entriesOf, type Entry } from './palette/entries';

interface Props {
  readonly onClose: () => void;
  readonly onHelp: () => void;
}

export default function Palette({ onClose, onHelp }: Props): ReactElement {
  // Before it is known who looks there are pages alone.
  const enabled = useSession() !== undefined;
  const { data: functions = [] } = useQuery({ ...functionsQuery, enabled });
  const { data: queues = [] } = useQuery({ ...queuesQuery, enabled });
  const [text, setText] = useState('');
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const perform = usePerform(onHelp);
  const mayChange = useMayChange();
  const entries = entriesOf(text, { pages: PAGES, functions: functions.map(({ name }) => name), queues, mayChange });
  const chosen = entries[Math.min(active, entries.length - 1)];

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [active, text]);

  const choose = (entry: Entry) => {
    onClose();
    perform(entry);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing || entries.length === 0) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setActive((Math.min(active, entries.length - 1) + step + entries.length) % entries.length);
    } else if (event.key === 'Enter' && chosen !== undefined) {
      event.preventDefault();
      choose(chosen);
    }
  };
  return (
    <Dialog title="Command palette" onClose={onClose}>
      <input
        className={classes.input}
        role="combobox"
        aria-label="Page, function, queue, action or job id"
        aria-expanded={entries.length > 0}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={chosen === undefined ? undefined : `${id}-${chosen.key}`}
        placeholder="Page, function, queue, action or job id"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={onKey}
      />
      <ul ref={list} id={id} role="listbox" aria-label="Results" className={classes.list}>
        {entries.map((entry) => (
          <li
            key={entry.key}
            id={`${id}-${entry.key}`}
            role="option"
            aria-selected={entry === chosen}
            className={classes.entry}
            onClick={() => {
              choose(entry);
            }}
          >
            <span className={classes.name}>{entry.name}</span>
            <span className={classes.hint}>{entry.hint}</span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function usePerform(onHelp: () => void): (entry: Entry) => void {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const { setColorScheme } = useMantineColorScheme();
  const pause = async (name: string, paused: boolean) => {
    try {
      await putQueue(queryClient, await setQueuePaused(name, paused));
      tellOutcome(paused ? `The queue ${name} is paused.` : `The queue ${name} is resumed.`);
    } catch (error) {
      tellOutcome(`The queue ${name} was not ${paused ? 'paused' : 'resumed'}: ${asApiError(error).message}`);
    }
  };
  return ({ does }) => {
    switch (does.kind) {
      case 'page':
        void navigate({ to: does.to });
        break;
      case 'job':
        void navigate({ to: '/jobs/$id', params: { id: does.id } });
        break;
      case 'search':
        void navigate({ to: '/jobs', search: { q: does.q } });
        break;
      case 'function':
        void navigate({ to: '/functions/$name', params: { name: does.name } });
        break;
      case 'queue':
        void navigate({ to: '/jobs', search: { queue: does.name } });
        break;
      case 'pause':
        void pause(does.name, does.paused);
        break;
      case 'scheme':
        setColorScheme(does.scheme);
        break;
      case 'help':
        onHelp();
    }
  };
}
