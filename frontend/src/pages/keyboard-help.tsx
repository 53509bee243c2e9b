/** What the keyboard can do, and the switch for it. */
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactElement, type ReactNode } from 'react';
import { healthQuery } from '../api/health';
import type { Health } from '../api/types';
import { Dialog } from '../components/dialog';
import { areKeysOn, setKeysOn } from './key-setting';
import classes from './keyboard-help.module.css';
import { PAGES } from './page-list';

export default function KeyboardHelp({ onClose }: { readonly onClose: () => void }): ReactElement {
  const [on, setOn] = useState(areKeysOn);
  const { data: health } = useQuery(healthQuery);
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className={classes.keys}>
        <Keys keys={['?']}>This help</Keys>
        <Keys keys={['Ctrl', 'K']}>Command palette; on a Mac with Cmd</Keys>
        <Keys keys={['/']}>Focus the search or the first field</Keys>
        <Keys keys={['j']}>Next row</Keys>
        <Keys keys={['k']}>Previous row</Keys>
        <Keys keys={['x']}>Select the row; with Shift, a range</Keys>
        <Keys keys={['Enter']}>Open it</Keys>
        <Keys keys={['Esc']}>Close the dialog</Keys>
        {PAGES.map(({ name, letter }) => (
          <Keys key={letter} keys={['g', letter]}>
            {name}
          </Keys>
        ))}
      </dl>
      <label className={classes.switch}>
        <input
          type="checkbox"
          checked={on}
          onChange={(event) => {
            setOn(event.currentTarget.checked);
            setKeysOn(event.currentTarget.checked);
          }}
        />
        Single-key shortcuts
      </label>
      <p className={classes.version}>{versionText(health)}</p>
      <Button size="md" onClick={onClose}>
        Close
      </Button>
    </Dialog>
  );
}

/** The build that answers. A commit is known only where the build was told. */
function versionText(health: Health | undefined): string {
  if (health === undefined) return '\u00a0';
  return `Spiral ${health.version}${health.commit == null ? '' : `, commit ${health.commit.slice(0, 12)}`}`;
}

function Keys({ keys, children }: { readonly keys: readonly string[]; readonly children: ReactNode }) {
  return (
    <div className={classes.row}>
      <dt>
        {keys.map((key) => (
          <kbd key={key} className={classes.key}>
            {key}
          </kbd>
        ))}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}
