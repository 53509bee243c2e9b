/**
 * The browser's own dialog: it keeps the focus inside and gives it back, and Escape closes it. Whether it is there is up
 * to the component that shows it, not to the browser.
 *
 * Not Mantine's Modal: the browser does all of that, and the first page's JavaScript is near its limit.
 */
import { useEffect, useId, useRef, type ReactNode } from 'react';
import classes from './dialog.module.css';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  /** For a question with one short field. */
  readonly narrow?: boolean;
  readonly children: ReactNode;
}

export function Dialog({ title, onClose, narrow = false, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      // By now React has taken the dialog out of the page, and the browser no longer gives the focus back.
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      className={classes.dialog}
      data-narrow={narrow || undefined}
      aria-labelledby={id}
      onKeyDown={(event) => {
        // Pressed twice, the browser would hide the dialog without asking. What lies inside may want the key for itself.
        if (event.key !== 'Escape' || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }}
      onCancel={(event) => {
        // Without a keyboard, such as the way back of a phone. React takes it away; the browser would only hide it.
        event.preventDefault();
        onClose();
      }}
      onClose={({ currentTarget }) => {
        // The browser has hidden it all the same. Its own close comes late: by then it may be open again.
        if (currentTarget.open) return;
        onClose();
        currentTarget.showModal();
      }}
    >
      <h2 id={id} className={classes.title}>
        {title}
      </h2>
      {children}
    </dialog>
  );
}
