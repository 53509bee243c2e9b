/** Every page, light, dark, on a phone and on a very wide screen, into `screenshots/`. */
import { addresses } from './addresses';
import { expect, test } from './spiral';

const LOOKS = [
  { name: 'light', colorScheme: 'light', width: 1280 },
  { name: 'dark', colorScheme: 'dark', width: 1280 },
  { name: 'phone', colorScheme: 'light', width: 390 },
  { name: 'wide', colorScheme: 'light', width: 2560 },
] as const;

test('pictures of every page', async ({ page, request, watch }) => {
  // The search that cannot be read.
  watch.allow(/400/u);
  const pages = await addresses(request);
  for (const { name: look, colorScheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 900 });
    for (const [name, address] of Object.entries(pages)) {
      await page.goto(address);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.getByText('Live', { exact: true })).toBeVisible();
      await expect(page.getByRole('status', { name: /^Loading/u })).toHaveCount(0);
      // The charts come with a file of their own.
      if (name === 'overview') await expect(page.locator('canvas')).toHaveCount(4);
      // Of the table of jobs only the rows in sight are there.
      await page.screenshot({ path: `screenshots/${name}-${look}.png`, fullPage: name !== 'jobs' });
    }
    const { SPIRAL_E2E_LOCKED_URL: locked } = process.env;
    if (locked === undefined) continue;
    await page.goto(`${locked}/login`);
    await expect(page.getByLabel('Access token', { exact: true })).toBeFocused();
    await page.screenshot({ path: `screenshots/login-${look}.png`, fullPage: true });
  }
});
