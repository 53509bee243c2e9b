import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const api = process.env.SPIRAL_API ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/api': api } },
  preview: { proxy: { '/api': api } },
  // One build for every base path: a file names the others from where it stands. The page alone names them from the
  // root, because it is sent for every address; who serves it puts the base path before them.
  experimental: { renderBuiltUrl: (_file, { hostType }) => (hostType === 'html' ? undefined : { relative: true }) },
  build: {
    // Fonts and icons stay files of their own: the CSP allows no data: fonts.
    assetsInlineLimit: 0,
    // scripts/size.js reads from it what the first page loads.
    manifest: true,
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing/setup.ts'],
    restoreMocks: true,
    // A slow machine is no failure.
    testTimeout: 30_000,
  },
});
