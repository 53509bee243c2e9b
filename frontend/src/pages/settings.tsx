/** How this browser shows Spiral: colours, the time zone of times, and how close together rows stand. */
import { NativeSelect, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useState, type ReactElement } from 'react';
import { Heading } from '../components/heading';
import { density, setDensity, setTimeZone, timeZone, type Density } from '../components/preferences';
import { exactTime } from '../components/time-text';
import { Choice } from './settings/choice';
import classes from './settings/settings.module.css';

const SCHEMES: readonly { readonly value: MantineColorScheme; readonly label: string }[] = [
  { value: 'auto', label: 'As the system' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];

const DENSITIES: readonly { readonly value: Density; readonly label: string }[] = [
  { value: 'comfortable', label: 'Comfortable' },
  { value: 'compact', label: 'Compact' },
];

export default function SettingsPage(): ReactElement {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [zone, chooseZone] = useState(timeZone);
  const [rows, chooseRows] = useState(density);
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <Heading title="Settings">How Spiral looks in this browser only.</Heading>
      <div className={classes.settings}>
        <Choice title="Colours" name="colours" options={SCHEMES} value={colorScheme} onChange={setColorScheme} />
        <NativeSelect
          className={classes.zone ?? ''}
          label="Time zone of times"
          description={`Now it is ${exactTime(new Date().toISOString())}.`}
          value={zone ?? ''}
          onChange={(event) => {
            const chosen = event.currentTarget.value === '' ? null : event.currentTarget.value;
            setTimeZone(chosen);
            chooseZone(chosen);
          }}
          data={[
            { value: '', label: `This browser's (${own})` },
            { value: 'UTC', label: 'UTC' },
            ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC'),
          ]}
        />
        <Choice
          title="Table rows"
          name="rows"
          options={DENSITIES}
          value={rows}
          onChange={(next) => {
            setDensity(next);
            chooseRows(next);
          }}
        />
      </div>
    </>
  );
}
