/** Every page on a phone and on a very wide screen: nothing scrolls sideways, no line is too long to read. */
import type { Page } from '@playwright/test';
import { addresses } from './addresses';
import { expect, test } from './spiral';

/** Characters in a line of running text. Beyond about ninety the eye loses the next line. */
const LONGEST_LINE = 90;
const WIDTHS = [390, 2560];

/** Paragraphs with lines that are too long, as somebody sees them. */
async function longLines(page: Page): Promise<string[]> {
  return page.evaluate((longest) => {
    const found: string[] = [];
    for (const paragraph of document.querySelectorAll<HTMLElement>('main p, main li, main dd, aside p')) {
      // Running text alone: not a list of links or a value.
      if (paragraph.querySelector('ul, ol, table, button, pre, code, p') !== null) continue;
      const text = paragraph.innerText.trim();
      const range = document.createRange();
      range.selectNodeContents(paragraph);
      const lines = new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom / 4))).size;
      if (lines > 0 && text.length / lines > longest) found.push(`${Math.round(text.length / lines)} characters: ${text}`);
    }
    return found;
  }, LONGEST_LINE);
}

/** The texts that reach beyond the window. */
async function tooWide(page: Page): Promise<string> {
  return page.evaluate(() => {
    const beyond: string[] = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
      range.selectNodeContents(text);
      if (range.getBoundingClientRect().right > window.innerWidth) {
        beyond.push(`${text.parentElement?.className ?? ''}: ${text.textContent?.slice(0, 80) ?? ''}`);
      }
    }
    return beyond.join('; ');
  });
}

for (const width of WIDTHS) {
  test(`every page at ${width} pixels`, async ({ page, request, watch }) => {
    test.setTimeout(240_000);
    // The search that cannot be read.
    watch.allow(/400/u);
    const pages = await addresses(request);
    await page.setViewportSize({ width, height: width > 1000 ? 1440 : 844 });
    const wrong: string[] = [];
    for (const [name, address] of Object.entries(pages)) {
      await page.goto(address);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.getByText('Live', { exact: true })).toBeVisible();
      await expect(page.getByRole('status', { name: /^Loading/u })).toHaveCount(0);
      const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth] as const);
      if (content > room) wrong.push(`${name} is ${content} pixels wide: ${await tooWide(page)}`);
      for (const line of await longLines(page)) wrong.push(`${name} has a line of ${line}`);
      // What is on the page is to be found: in the middle, and not lost in a corner.
      const box = await page.getByRole('main').boundingBox();
      if (box === null || Math.abs(box.x + box.width / 2 - width / 2) > 20) wrong.push(`${name} is not in the middle`);
    }
    const { SPIRAL_E2E_LOCKED_URL: locked } = process.env;
    if (locked !== undefined) {
      await page.goto(`${locked}/login`);
      await expect(page.getByLabel('Access token', { exact: true })).toBeVisible();
      const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth] as const);
      if (content > room) wrong.push(`login is ${content} pixels wide`);
      for (const line of await longLines(page)) wrong.push(`login has a line of ${line}`);
    }
    expect(wrong).toEqual([]);
  });
}
