// Fail where what a page loads first has grown beyond its budget (kB, gzip).
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const FOLDER = "../include/airloom/web/static/";
const BUDGETS = {
  "src/features/pipelines/PipelinesPage.tsx": 300,
  "src/features/run/RunPage.tsx": 420,
};

const manifest = JSON.parse(readFileSync(`${FOLDER}.vite/manifest.json`, "utf8"));

function filesOf(name, seen = new Set()) {
  if (seen.has(name)) return [];
  seen.add(name);
  const { file, css = [], imports = [] } = manifest[name];
  return [file, ...css, ...imports.flatMap((each) => filesOf(each, seen))];
}

let failed = false;
for (const [page, budget] of Object.entries(BUDGETS)) {
  const files = new Set([...filesOf("index.html"), ...filesOf(page)]);
  const size =
    [...files].reduce((sum, file) => sum + gzipSync(readFileSync(FOLDER + file), { level: 9 }).length, 0) / 1000;
  console.log(`${page}: ${size.toFixed(0)} of ${budget} kB`);
  failed ||= size > budget;
}
process.exit(failed ? 1 : 0);
