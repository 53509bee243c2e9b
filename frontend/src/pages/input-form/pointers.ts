/** JSON Pointers of what is wrong: the API names places in the body (`/input/index`), the form of an input its own (`/index`). */

type Errors = Readonly<Record<string, string>>;

const INPUT = '/input';

/** Those that are about the input, by their places in it. */
export function insideInput(errors: Errors): Record<string, string> {
  return Object.fromEntries(
    Object.entries(errors).flatMap(([pointer, message]) => (isOfInput(pointer) ? [[pointer.slice(INPUT.length), message]] : [])),
  );
}

/** The others. */
export function besideInput(errors: Errors): Record<string, string> {
  return Object.fromEntries(Object.entries(errors).filter(([pointer]) => !isOfInput(pointer)));
}

export function underInput(errors: Errors): Record<string, string> {
  return Object.fromEntries(Object.entries(errors).map(([pointer, message]) => [`${INPUT}${pointer}`, message]));
}

function isOfInput(pointer: string): boolean {
  return pointer === INPUT || pointer.startsWith(`${INPUT}/`);
}

/** A name as one step of a pointer (RFC 6901). */
export function stepOf(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A pointer as people read it: `headers/accept`. */
export function pointerText(pointer: string): string {
  return pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
}
