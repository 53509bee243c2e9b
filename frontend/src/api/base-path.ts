/** The path below which everything lies: nothing for the root, `/spiral` for `https://ops.example.org/spiral/`. index.html says it. */
const said = document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? '/';
const basePath = said.replace(/\/$/u, '');

/** Where the browser reaches a path of Spiral's. The router's own paths have no base path: it knows it by itself. */
export function reachedAt(path: string): string {
  return `${basePath}${path}`;
}
