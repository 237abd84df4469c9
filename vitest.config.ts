import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/environment.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A machine at work on other things is slow, and no reason to fail.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    // No file changes a module, so a worker loads each of them once: a fifth of the time.
    isolate: false,
    // Tests that time nothing out by themselves: two cores, so two at a time.
    maxWorkers: 2,
    reporters: process.env['CI'] === undefined ? ['default'] : ['verbose'],
  },
});
