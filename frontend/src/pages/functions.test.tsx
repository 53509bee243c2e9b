import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';
import { queuedPatch } from '../testing/jobs';
import { open } from '../testing/render';
import { startSpiral, type Spiral } from '../testing/spiral';

/** Another build of the API has taken over. */
function deploy(spiral: Spiral) {
  const [first] = spiral.functions;
  if (first === undefined) throw new Error('there is no function');
  spiral.functions = [...spiral.functions, { ...first, name: 'greet', description: 'Says hello.' }];
}

test('a function that a deploy brought is there once the stream is, which the deploy had cut', async () => {
  const spiral = startSpiral();
  open('/functions');
  await screen.findByRole('link', { name: /fibonacci/u });
  await screen.findByText('Live');
  expect(screen.queryByRole('link', { name: /greet/u })).toBeNull();
  deploy(spiral);
  spiral.cut();
  expect(await screen.findByRole('link', { name: /greet/u })).toBeVisible();
});

test('a job of a function that is not known makes the list be read again', async () => {
  const spiral = startSpiral();
  open('/functions');
  await screen.findByRole('link', { name: /fibonacci/u });
  await screen.findByText('Live');
  deploy(spiral);
  spiral.send(queuedPatch(1700, { function: 'greet' }));
  expect(await screen.findByRole('link', { name: /greet/u })).toBeVisible();
});
