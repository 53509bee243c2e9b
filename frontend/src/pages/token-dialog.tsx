/** Asks for the access token after the API has answered 401. It stays in this tab only. */
import { Button, TextInput } from '@mantine/core';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { provideToken } from '../api/token';
import classes from './token-dialog.module.css';

export default function TokenDialog({ refused }: { readonly refused: boolean }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  const [token, setToken] = useState('');

  // The browser's own dialog: it keeps the focus inside and the page behind it out of reach.
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      element?.close();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      className={classes.dialog}
      aria-labelledby="token-title"
      onCancel={(event) => {
        // Nothing works without a token, so there is nothing to go back to.
        event.preventDefault();
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') provideToken(token.trim());
        }}
      >
        <h2 id="token-title" className={classes.title}>
          This Spiral is locked
        </h2>
        <TextInput
          type="password"
          label="Access token"
          description="The value of SPIRAL_TOKEN. It is kept until this tab is closed."
          error={refused && token === '' ? 'That token was not accepted.' : null}
          autoComplete="off"
          size="md"
          value={token}
          onChange={(event) => {
            setToken(event.currentTarget.value);
          }}
        />
        <Button type="submit" mt={20} size="md">
          Continue
        </Button>
      </form>
    </dialog>
  );
}
