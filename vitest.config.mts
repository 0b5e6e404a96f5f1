import { defineConfig } from 'vitest/config';

// The units meet the browser only through interfaces of our own, so plain Node is enough: no jsdom.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['js_src/**/*.test.ts'],
    unstubGlobals: true,
  },
});
