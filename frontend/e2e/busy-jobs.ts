/** What an operator does with the jobs while hundreds of events a second come in: watch, scroll, read, type, select. */
import { expect, type Page } from '@playwright/test';
import { record, type Smoothness } from './frames';

export interface Done extends Smoothness {
  readonly what: string;
}

const SECONDS = 1000;

async function watchIt(page: Page): Promise<void> {
  await page.waitForTimeout(5 * SECONDS);
}

async function scroll(page: Page): Promise<void> {
  const { width, height } = page.viewportSize() ?? { width: 1280, height: 900 };
  await page.mouse.move(width / 2, height / 2);
  for (const direction of [1, 1, 1, -1, 1]) {
    for (let turn = 0; turn < 25; turn += 1) {
      await page.mouse.wheel(0, direction * 240);
      await page.waitForTimeout(40);
    }
  }
}

/** Where the row in the middle of the screen is, and which one that is. */
async function middleRow(page: Page): Promise<{ readonly link: string; readonly top: number }> {
  return page.evaluate(() => {
    const middle = document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2);
    const row = middle?.closest('tr');
    return {
      link: row?.querySelector('a')?.getAttribute('href') ?? 'no row',
      top: Math.round(row?.getBoundingClientRect().top ?? 0),
    };
  });
}

/** What somebody reads stays where it is. */
async function read(page: Page): Promise<void> {
  const before = await middleRow(page);
  expect(before.link).toMatch(/^\/jobs\//u);
  await page.waitForTimeout(5 * SECONDS);
  expect(await middleRow(page), 'the row that was read').toEqual(before);
}

async function type(page: Page): Promise<void> {
  const box = page.getByRole('combobox', { name: 'Search the jobs' });
  await box.focus();
  for (const text of ['function:echo ', 'state:completed ']) await page.keyboard.type(text, { delay: 60 });
  await page.keyboard.press('Escape');
  await expect(box).toHaveValue('function:echo state:completed ');
  await box.fill('');
  // The completions would lie over the rows.
  await page.keyboard.press('Escape');
}

/** With the mouse, as a hand does it: there, and a click a moment later. It has to be the row that was aimed at. */
async function select(page: Page): Promise<void> {
  for (const number of [1, 2, 4]) {
    // In one go: until the pointer is there, the row that was asked for may have moved.
    const place = await page.evaluate((index) => {
      const box = document.querySelectorAll('tbody tr [data-select]')[index]?.getBoundingClientRect();
      return box === undefined ? null : ([box.x + box.width / 2, box.y + box.height / 2] as const);
    }, number);
    if (place === null) throw new Error('there is no row to select');
    await page.mouse.move(...place, { steps: 4 });
    await page.waitForTimeout(150);
    const aimed = await page.evaluate(
      ([x, y]) => document.elementFromPoint(x, y)?.closest('tr')?.querySelector('a')?.getAttribute('href') ?? 'no row',
      place,
    );
    await page.waitForTimeout(200);
    await page.mouse.down();
    await page.mouse.up();
    const selected = page.locator('tr[data-selected]').filter({ has: page.locator(`a[href="${aimed}"]`) });
    await expect(selected, 'the row that was aimed at').toHaveCount(1);
  }
  await expect(page.getByRole('group', { name: 'Selected jobs' })).toContainText('3 jobs selected');
  await page.getByRole('button', { name: 'Clear selection' }).click();
}

/** Everything, one after another, on a page of jobs that is open and live. */
export async function workWithJobs(page: Page): Promise<Done[]> {
  const done: Done[] = [];
  const step = async (what: string, act: (page: Page) => Promise<void>) => {
    done.push({ what, ...(await record(page, () => act(page))) });
  };
  await step('watching', watchIt);
  await step('scrolling', scroll);
  await step('reading further down', read);
  await page.evaluate(() => { window.scrollTo(0, 0); });
  await step('typing a search', type);
  await step('selecting rows', select);
  return done;
}
