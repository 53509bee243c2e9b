/** The keyboard of every page: `?` for help, Ctrl-K for the palette, `g` and a letter for a page, `/` to search, `j`, `k` and `x` for rows. */
import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState, type ReactElement } from 'react';
import { areKeysOn } from './key-setting';
import { PAGES } from './page-list';

/** Most people never see it. */
const KeyboardHelp = lazy(() => import('./keyboard-help'));
const Palette = lazy(() => import('./palette'));

/** How long the letter after `g` may take. */
const NEXT_KEY_MS = 1500;

export function Keyboard(): ReactElement | null {
  const navigate = useNavigate();
  const [open, setOpen] = useState<'help' | 'palette' | null>(null);

  useEffect(() => {
    let goUntil = 0;
    const onKey = (event: KeyboardEvent) => {
      // Not a single letter: it works while somebody types, and when those are off.
      if (isPaletteKey(event) && document.querySelector('dialog[open]') === null) {
        event.preventDefault();
        setOpen('palette');
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) || document.querySelector('dialog[open]') !== null) return;
      // The help can always be asked for: it is where the other keys are turned on again.
      if (event.key === '?') {
        event.preventDefault();
        setOpen('help');
        return;
      }
      if (!areKeysOn()) return;
      const goes = performance.now() < goUntil;
      goUntil = 0;
      const page = goes ? PAGES.find(({ letter }) => letter === event.key) : undefined;
      if (page !== undefined) {
        event.preventDefault();
        void navigate({ to: page.to });
      } else if (event.key === 'g') {
        goUntil = performance.now() + NEXT_KEY_MS;
      } else if (event.key === '/') {
        const field = document.querySelector<HTMLElement>('main [data-search]');
        if (field === null) return;
        event.preventDefault();
        field.focus();
      } else if (event.key === 'j' || event.key === 'k') {
        moveRow(event.key === 'j' ? 1 : -1);
      } else if (event.key === 'x' || event.key === 'X') {
        selectRow(event.shiftKey);
      }
    };
    document.addEventListener('keydown', onKey);
    return () => {
      document.removeEventListener('keydown', onKey);
    };
  }, [navigate]);

  const close = () => {
    setOpen(null);
  };
  if (open === null) return null;
  return (
    <Suspense>
      {open === 'help' ? (
        <KeyboardHelp onClose={close} />
      ) : (
        <Palette
          onClose={close}
          onHelp={() => {
            setOpen('help');
          }}
        />
      )}
    </Suspense>
  );
}

/** Ctrl-K, on a Mac Cmd-K. */
function isPaletteKey({ key, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent): boolean {
  return key.toLowerCase() === 'k' && ctrlKey !== metaKey && !altKey && !shiftKey;
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input:not([type="checkbox"]), textarea, select'))
  );
}

/** Rows are links, so Enter opens the one with the focus. */
function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  const active = document.activeElement;
  const now = rows.findIndex((row) => row === active || (active !== null && row.closest('tr')?.contains(active) === true));
  const next = now < 0 ? rows[0] : rows[now + step];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

/** As a click on the box of the row with the focus would; with Shift, from the last one that was clicked to it. */
function selectRow(shiftKey: boolean): void {
  const box = document.activeElement?.closest('tr')?.querySelector('[data-select]');
  box?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, shiftKey }));
}
