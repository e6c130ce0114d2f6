import { defineConfig } from "vite";

// The built files have fixed names and are committed: an install from git needs no Node.
export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es", rollupOptions: { output: { entryFileNames: "worker.js" } } },
  build: {
    outDir: "../src/overpaint/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    rollupOptions: {
      output: {
        entryFileNames: "editor.js",
        chunkFileNames: "[name].js",
        assetFileNames: (asset) => (asset.names[0]?.endsWith(".css") ? "editor.css" : "[name][extname]"),
      },
    },
  },
  server: { proxy: { "/overpaint": "http://127.0.0.1:7860" } },
  // Generous: tests also run beside other work.
  test: { include: ["src/**/*.test.ts", "tests/**/*.test.ts"], testTimeout: 30_000 },
} as Parameters<typeof defineConfig>[0]);
