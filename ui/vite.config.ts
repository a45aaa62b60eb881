import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // The page is served below a path that only the server knows; it writes it into the page as its base.
  base: "./",
  build: {
    outDir: here("../include/airloom/web/static"),
    emptyOutDir: true,
    manifest: true,
    chunkSizeWarningLimit: 2000,
  },
  plugins: [react()],
  resolve: { alias: { src: here("src") } },
  server: { proxy: { "/airloom/api": "http://127.0.0.1:8080" } },
  test: { environment: "happy-dom", setupFiles: ["test/setup.ts"], include: ["{src,test}/**/*.test.{ts,tsx}"] },
});
