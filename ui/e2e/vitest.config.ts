import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { src: fileURLToPath(new URL("../src", import.meta.url)) } },
  test: {
    environment: "node",
    include: ["e2e/states/*.test.ts"],
    maxConcurrency: 2,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});
