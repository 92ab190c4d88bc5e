import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Writes `FILE.gz` beside each text file of the build, so that the server never compresses at run time. */
function precompressed(): Plugin {
  let out = "dist";
  const walk = (dir: string): string[] =>
    readdirSync(dir).flatMap((name) => {
      const path = join(dir, name);
      return statSync(path).isDirectory() ? walk(path) : [path];
    });
  return {
    name: "precompressed",
    apply: "build",
    configResolved: (config) => {
      out = join(config.root, config.build.outDir);
    },
    closeBundle: () => {
      for (const file of walk(out).filter((path) => /\.(html|js|css|svg|json|webmanifest)$/.test(path))) {
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [precompressed()],
  resolve: {
    alias: { "@wire": fileURLToPath(new URL("../../wire/bindings/wire.ts", import.meta.url)) },
  },
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    // What the first load and other places share is one file: each of its own costs a head and a line.
    rolldownOptions: { output: { codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: "bits", test: /src\/view\/(bits|settle)\.tsx?$/ }] } } },
    assetsInlineLimit: 0,
  },
  // Host stays that of this page: the box takes nothing from another site's.
  server: { proxy: { "/api": { target: process.env["KILN_SERVER"] ?? "http://127.0.0.1:7000", changeOrigin: false } } },
  test: { include: ["src/**/*.test.ts", "test/**/*.test.ts"], environment: "node" },
});
