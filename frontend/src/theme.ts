/** Mantine with the tokens of styles/tokens.css: components take their colours from there, never from Mantine's palette. */
import { createTheme, localStorageColorSchemeManager, type CSSVariablesResolver } from '@mantine/core';

export const theme = createTheme({
  fontFamily: 'var(--font-text)',
  fontFamilyMonospace: 'var(--font-digits)',
  defaultRadius: 'var(--radius)',
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  components: {
    Button: {
      vars: (_theme: unknown, { variant }: { variant?: string }) => ({
        root: variant === 'default' ? {} : {
          '--button-bg': 'var(--primary)',
          '--button-hover': 'var(--primary-hover)',
          '--button-color': 'var(--on-primary)',
        },
      }),
    },
    ActionIcon: {
      vars: () => ({
        root: {
          '--ai-bg': 'transparent',
          '--ai-hover': 'var(--sunken)',
          '--ai-color': 'var(--ink-soft)',
          '--ai-bd': '1px solid transparent',
        },
      }),
    },
  },
});

const shared = {
  '--mantine-color-body': 'var(--paper)',
  '--mantine-color-text': 'var(--ink)',
  '--mantine-color-dimmed': 'var(--ink-soft)',
  '--mantine-color-default': 'var(--surface)',
  '--mantine-color-default-hover': 'var(--sunken)',
  '--mantine-color-default-border': 'var(--line-strong)',
  '--mantine-color-default-color': 'var(--ink)',
  '--mantine-color-placeholder': 'var(--ink-soft)',
  '--mantine-color-error': 'var(--danger)',
};

export const cssVariables: CSSVariablesResolver = () => ({
  variables: { '--mantine-primary-color-filled': 'var(--accent)' },
  light: shared,
  dark: shared,
});

/** The same key as public/color-scheme.js, which runs before the first paint. */
export const colorSchemes = localStorageColorSchemeManager({ key: 'spiral-color-scheme' });
