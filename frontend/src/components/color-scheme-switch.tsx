/** Light, dark, or as the system says: one button that goes round. */
import { ActionIcon, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react';

const NEXT: Record<MantineColorScheme, MantineColorScheme> = { auto: 'light', light: 'dark', dark: 'auto' };
const NAME: Record<MantineColorScheme, string> = { auto: 'as the system', light: 'light', dark: 'dark' };

export function ColorSchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = NEXT[colorScheme];
  const label = `Colours: ${NAME[colorScheme]}. Change to ${NAME[next]}.`;
  return (
    <ActionIcon
      size={40}
      title={label}
      aria-label={label}
      onClick={() => {
        setColorScheme(next);
      }}
    >
      {colorScheme === 'auto' ? (
        <IconDeviceDesktop size={20} stroke={1.6} />
      ) : colorScheme === 'light' ? (
        <IconSun size={20} stroke={1.6} />
      ) : (
        <IconMoon size={20} stroke={1.6} />
      )}
    </ActionIcon>
  );
}
