import 'react';

declare module 'react' {
  // Custom properties, which React's own type leaves out.
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- an interface is the only way to add to one
  interface CSSProperties extends Record<`--${string}`, string | number | undefined> {}
}
