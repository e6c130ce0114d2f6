import { defineConfig } from "vite";

// The engine's own test page, built into the folder that OUT names (--outDir).
export default defineConfig({
  root: "tests/pages",
  base: "./",
  worker: { format: "es" },
  build: { target: "es2022", emptyOutDir: true, rollupOptions: { input: "tests/pages/canvas.html" } },
});
