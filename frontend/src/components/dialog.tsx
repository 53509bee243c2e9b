/** The browser's own dialog: it keeps the focus inside and gives it back, and Escape closes it. */
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
      onCancel={(event) => {
        // React takes it away; the browser would only hide it.
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={id} className={classes.title}>
        {title}
      </h2>
      {children}
    </dialog>
  );
}
