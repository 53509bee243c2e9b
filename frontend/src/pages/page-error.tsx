/** When a page itself breaks: a defect, or a new version was put in place while this one was open. */
import { Button } from '@mantine/core';
import type { ReactElement } from 'react';
import { Heading } from '../components/heading';

export function PageError(): ReactElement {
  return (
    <div role="alert">
      <Heading title="This page could not be shown">
        Perhaps Spiral was updated while it was open. Reload it; no enqueued job is lost.
      </Heading>
      <Button
        mt={24}
        size="md"
        onClick={() => {
          window.location.reload();
        }}
      >
        Reload
      </Button>
    </div>
  );
}
