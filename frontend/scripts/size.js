/** Says how much JavaScript the first page loads, as gzip sends it, and fails past the limit. Run after the build. */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_KIB = 150;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));

/** A chunk and everything that it imports before it can run. */
function gather(name, files) {
  const { file, imports = [] } = manifest[name];
  if (files.has(file)) return files;
  files.add(file);
  for (const imported of imports) gather(imported, files);
  return files;
}

function kib(file) {
  return gzipSync(readFileSync(new URL(file, dist))).length / 1024;
}

const files = gather('src/pages/fibonacci.tsx', gather('index.html', new Set()));
const all = Object.values(manifest)
  .map(({ file }) => file)
  .filter((file) => file.endsWith('.js'));
const total = [...files].reduce((sum, file) => sum + kib(file), 0);
const rest = new Set(all.filter((file) => !files.has(file)));
const largest = Math.max(...[...rest].map(kib));
console.log(
  `first page: ${total.toFixed(1)} KiB of JavaScript (gzip) in ${files.size} files, at most ${LIMIT_KIB}; ` +
    `${rest.size} more files for other pages, the largest ${largest.toFixed(1)} KiB`,
);
if (total > LIMIT_KIB) {
  console.error(`The first page loads more than ${LIMIT_KIB} KiB of JavaScript: load what it does not need at first later.`);
  process.exit(1);
}
