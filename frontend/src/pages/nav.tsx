/** The way to every page: a row of links, and on a narrow screen a menu of the same. */
import { Link } from '@tanstack/react-router';
import { useRef, useState, type ReactElement } from 'react';
import classes from './nav.module.css';
import { PAGES } from './page-list';

export function Nav(): ReactElement {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
  };
  return (
    <nav
      className={classes.nav}
      aria-label="Pages"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        close();
        button.current?.focus();
      }}
      onBlur={({ currentTarget, relatedTarget }) => {
        // A tap beside a link gives no other element the focus: only one elsewhere closes the menu.
        if (relatedTarget !== null && !currentTarget.contains(relatedTarget)) close();
      }}
    >
      <button
        ref={button}
        type="button"
        className={classes.menu}
        aria-expanded={open}
        aria-controls="pages"
        onClick={() => {
          setOpen(!open);
        }}
      >
        <span className={classes.bars} aria-hidden="true" />
        Menu
      </button>
      <div id="pages" className={classes.links} data-open={open || undefined}>
        {PAGES.map(({ to, name }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === '/', includeSearch: false }} onClick={close}>
            {name}
          </Link>
        ))}
      </div>
    </nav>
  );
}
