/**
 * Asks Lighthouse about the pages of the Spiral at SPIRAL_URL and prints what it says; fails below what is demanded.
 * `cargo xtask lighthouse` starts that Spiral. Nothing is sent to anybody.
 */
import { launch } from 'chrome-launcher';
import lighthouse, { desktopConfig } from 'lighthouse';
import { prepare } from './jobs.js';
import { median, table } from './table.js';

const PAGES = [
  ['Overview', '/overview'],
  ['Jobs', '/jobs'],
  ['Fibonacci', '/'],
];
const PRESETS = [
  ['desktop', desktopConfig],
  // Lighthouse's own: a slow phone on a slow network.
  ['mobile', undefined],
];
const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'];
const LEAST = 95;
/** A slow phone is played by a machine that is itself none of the quickest, and often has other work. */
const LEAST_ON_A_PHONE = 70;
const least = (preset, category) => (preset === 'mobile' && category === 'performance' ? LEAST_ON_A_PHONE : LEAST);
const RUNS = Number(process.env.SPIRAL_LIGHTHOUSE_RUNS ?? 3);

const FLAGS = [
  '--headless=new',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // The sandbox of Chromium does not work for root, as whom containers run.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

const { SPIRAL_URL: url, SPIRAL_CHROMIUM: chromePath = '/usr/bin/chromium' } = process.env;
if (url === undefined) throw new Error('SPIRAL_URL names no Spiral: `cargo xtask lighthouse` starts one');

let running = null;
// A browser that outlives this would go on for ever.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    running?.kill();
    process.exit(1);
  });
}

/** One look at one page, with a browser of its own: no cache, and nothing that an earlier run left. */
async function look(address, config) {
  const chrome = await launch({ chromePath, chromeFlags: FLAGS, logLevel: 'error', handleSIGINT: false });
  running = chrome;
  try {
    const flags = { port: chrome.port, output: 'json', logLevel: 'error', onlyCategories: CATEGORIES };
    const { lhr } = await lighthouse(new URL(address, url).href, flags, config);
    if (lhr.runtimeError !== undefined) throw new Error(`${address}: ${lhr.runtimeError.message}`);
    return lhr;
  } finally {
    running = null;
    chrome.kill();
  }
}

/** What costs points, each once. */
function complaints(reports) {
  const found = new Map();
  for (const { audits, categories } of reports) {
    for (const { auditRefs } of Object.values(categories)) {
      for (const { id, weight } of auditRefs) {
        const { score, title, displayValue = '' } = audits[id];
        if (weight > 0 && score !== null && score < 0.9) found.set(id, `${title} ${displayValue}`.trim());
      }
    }
  }
  return [...found.values()];
}

const percent = ({ categories }, category) => Math.round(categories[category].score * 100);
const seconds = (reports, audit) => `${(median(reports.map(({ audits }) => audits[audit].numericValue)) / 1000).toFixed(2)} s`;

await prepare(url);
const rows = [];
const notes = [];
let low = 0;
for (const [preset, config] of PRESETS) {
  for (const [name, address] of PAGES) {
    const reports = [];
    for (let run = 0; run < RUNS; run += 1) reports.push(await look(address, config));
    // Performance is noisy, so its median counts; of the others the worst.
    const scores = CATEGORIES.map((category) => {
      const all = reports.map((report) => percent(report, category));
      return category === 'performance' ? median(all) : Math.min(...all);
    });
    low += scores.filter((score, place) => score < least(preset, CATEGORIES[place])).length;
    const shift = Math.max(...reports.map(({ audits }) => audits['cumulative-layout-shift'].numericValue));
    rows.push([
      `${name}, ${preset}`,
      ...scores,
      seconds(reports, 'first-contentful-paint'),
      seconds(reports, 'largest-contentful-paint'),
      `${Math.round(median(reports.map(({ audits }) => audits['total-blocking-time'].numericValue)))} ms`,
      shift.toFixed(3),
    ]);
    console.log(`  ${rows.at(-1).join('  ')}`);
    for (const complaint of complaints(reports)) notes.push(`${name}, ${preset}: ${complaint}`);
  }
}

const head = ['page', 'performance', 'accessibility', 'best practices', 'SEO', 'first paint', 'largest paint', 'blocked', 'shift'];
console.log(`\n${table(head, rows)}\n`);
if (notes.length > 0) console.log(`What costs points:\n${notes.map((note) => `  ${note}`).join('\n')}\n`);
const demanded = `${LEAST} (performance on a phone: ${LEAST_ON_A_PHONE})`;
console.log(low === 0 ? `Nothing is below ${demanded}.` : `${low} of the scores are below ${demanded}.`);
process.exitCode = low === 0 ? 0 : 1;
