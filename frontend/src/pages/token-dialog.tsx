/** Asks for the access token after the API has answered 401. It stays in this tab only. */
import { Button, TextInput } from '@mantine/core';
import { useState, type ReactElement } from 'react';
import { provideToken } from '../api/token';
import { Dialog } from '../components/dialog';

export default function TokenDialog({ refused }: { readonly refused: boolean }): ReactElement {
  const [token, setToken] = useState('');
  return (
    <Dialog title="This Spiral is locked" onClose={stay} narrow>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') provideToken(token.trim());
        }}
      >
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
    </Dialog>
  );
}

/** Nothing works without a token, so there is nothing to go back to. */
function stay(): void {
  // The dialog stays open.
}
