import { readFile } from 'node:fs/promises';
import { calculate, expect, expectNoReload, fibonacci, indexField, jobRow, openLive, test } from './spiral';

test('90 becomes 2880067194370816120 without a reload', async ({ page }) => {
  await openLive(page);
  await expectNoReload(page, async () => {
    await indexField(page).fill('90');
    await indexField(page).press('Enter');
    await expect(jobRow(page, 90)).toContainText('2880067194370816120');
  });
  await expect(jobRow(page, 90)).toContainText('completed');
  await expect(jobRow(page, 90)).toContainText('19 digits in');
  await expect(page.getByRole('region', { name: 'Indices seen' }).getByRole('button', { name: /^90/u })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Values calculated' })).toContainText('2880067194370816120');
});

test('what was calculated is there when the page is opened again', async ({ page }) => {
  await openLive(page);
  await calculate(page, 91);
  await expect(jobRow(page, 91)).toContainText('4660046610375530309');
  await page.reload();
  await expect(jobRow(page, 91)).toContainText('4660046610375530309');
});

test('the smallest indices', async ({ page }) => {
  await openLive(page);
  for (const [index, value] of [
    [0, '0'],
    [1, '1'],
    [2, '1'],
  ] as const) {
    await calculate(page, index);
    await expect(jobRow(page, index)).toContainText('1 digit in');
    await expect(jobRow(page, index).getByText(value, { exact: true })).toBeVisible();
  }
});

for (const [text, message] of [
  ['-1', 'A whole number from 0 to 10,000,000: there is nothing before it.'],
  ['1.5', 'A whole number from 0 to 10,000,000, without a fraction.'],
  ['abc', 'That is not a number. A whole number from 0 to 10,000,000, please.'],
  ['10000001', 'The largest index is 10,000,000.'],
  ['99999999999999999999', 'The largest index is 10,000,000.'],
  ['', 'Type an index first, such as 90.'],
] as const) {
  test(`${text === '' ? 'nothing' : text} is refused at the field, and nothing is sent`, async ({ page }) => {
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST') sent.push(request.url());
    });
    await openLive(page);
    await indexField(page).fill(text);
    await indexField(page).press('Enter');
    await expect(page.getByRole('alert')).toHaveText(message);
    await expect(indexField(page)).toHaveAttribute('aria-invalid', 'true');
    await expect(indexField(page)).toHaveAccessibleDescription(new RegExp(message.replaceAll('.', '\\.'), 'u'));
    expect(sent).toEqual([]);
    await indexField(page).fill('5');
    await expect(page.getByRole('alert')).toHaveCount(0);
  });
}

test("the server's own message stands at the field, too", async ({ page, watch }) => {
  watch.allow(/422/u);
  // The page believes in a higher limit than the server has.
  await page.route('**/api/v1/functions', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll('10000000', '20000000') });
  });
  await page.goto('/');
  await expect(page.getByText('A whole number from 0 to 20,000,000.')).toBeVisible();
  await calculate(page, 10_000_001);
  await expect(page.getByRole('alert')).toContainText('10,000,000');
  await expect(indexField(page)).toHaveAttribute('aria-invalid', 'true');
});

test('100000 is shortened to its two ends, and the download is whole', async ({ page }) => {
  const value = String(fibonacci(100_000));
  await openLive(page);
  await calculate(page, 100_000);
  const row = jobRow(page, 100_000);
  await expect(row).toContainText('20,899 digits in');
  await expect(row).toContainText(`${value.slice(0, 18)}…${value.slice(-18)}`);

  const downloading = page.waitForEvent('download');
  await row.getByRole('link', { name: 'Download F(100,000)' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe('fibonacci-100000.txt');
  const text = await readFile(await download.path(), 'utf8');
  expect(text.trimEnd()).toBe(value);
});

test('copying takes the whole value', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await openLive(page);
  await calculate(page, 30_000);
  await jobRow(page, 30_000).getByRole('button', { name: 'Copy F(30,000)' }).click();
  await expect(jobRow(page, 30_000).getByRole('status')).toHaveText('F(30,000) copied.');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(String(fibonacci(30_000)));
});

test('copying works where the browser has no clipboard to offer: on plain HTTP', async ({ page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  });
  await openLive(page);
  await calculate(page, 77);
  await jobRow(page, 77).getByRole('button', { name: 'Copy F(77)' }).click();
  await expect(jobRow(page, 77).getByRole('status')).toHaveText('F(77) copied.');
  await indexField(page).fill('');
  await indexField(page).press('ControlOrMeta+v');
  await expect(indexField(page)).toHaveValue(String(fibonacci(77)));
});

test('the drawing follows what is typed', async ({ page }) => {
  await openLive(page);
  const drawing = page.getByRole('figure').getByRole('img');
  await indexField(page).pressSequentially('9');
  await expect(drawing).toHaveAccessibleName('Spiral of 9 squares; the side of the outermost is F(9).');
  await expect(drawing.locator('rect')).toHaveCount(9);
  await indexField(page).pressSequentially('000');
  await expect(drawing).toHaveAccessibleName(
    'Spiral of 12 squares, the largest of 9,000; the side of the outermost is F(9,000).',
  );
  await expect(page.getByText('a number of 1,881 digits')).toBeVisible();
});
