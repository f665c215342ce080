import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

import { record } from "./record.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const service = process.env["LOOKALIKE_URL"] ?? "http://127.0.0.1:3000";

export default defineConfig({
  base: "./", // so that the page also works behind a path prefix
  resolve: {
    alias: {
      "lookalike-client": here("../typescript/src/index.ts"),
      "openapi-fetch": here("node_modules/openapi-fetch"),
    },
  },
  plugins: [record()],
  build: {
    outDir: process.env["EXPLORER_OUT"] ?? here("../../service/lookalike_service/ui"),
    emptyOutDir: true,
    target: ["chrome123", "firefox121", "safari17.5"],
    assetsInlineLimit: 0, // the page's policy allows no inline scripts or styles
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: {
        // Each room's code is in a file named after it.
        chunkFileNames: ({ facadeModuleId, name }) =>
          `assets/${facadeModuleId?.match(/\/([^/]+)\/room\.tsx$/)?.[1] ?? "[name]"}-[hash].js`.replace("[name]", name),
      },
    },
  },
  server: { proxy: { "/v1": service, "/openapi.json": service } },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
