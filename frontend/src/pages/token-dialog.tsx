/** Asks for the access token after the API has answered 401. It stays in this tab only. */
import { Button, Modal, PasswordInput } from '@mantine/core';
import '@mantine/core/styles/Modal.css';
import '@mantine/core/styles/ModalBase.css';
import '@mantine/core/styles/Overlay.css';
import '@mantine/core/styles/PasswordInput.css';
import '@mantine/core/styles/CloseButton.css';
import '@mantine/core/styles/Paper.css';
import { useState, type ReactElement } from 'react';
import { provideToken } from '../api/token';

export default function TokenDialog({ refused }: { readonly refused: boolean }): ReactElement {
  const [token, setToken] = useState('');
  return (
    <Modal
      opened
      centered
      title="This Spiral asks for an access token"
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      radius="var(--radius-large)"
      onClose={() => undefined}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== '') provideToken(token.trim());
        }}
      >
        <PasswordInput
          data-autofocus
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
    </Modal>
  );
}
