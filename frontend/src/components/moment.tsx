/** A time: exactly, and how far from now. */
import { Age } from './age';
import { exactTime } from './time-text';

export function Moment({ at }: { readonly at: string }) {
  return (
    <>
      {exactTime(at)} (<Age at={at} ahead />)
    </>
  );
}
