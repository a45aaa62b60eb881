// Write the licences of the packages that are bundled, and fail where one has none.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")).packages;
const texts = [];
for (const [path, entry] of Object.entries(lock).sort()) {
  if (path === "" || entry.dev || entry.optional || entry.devOptional || !existsSync(path)) continue;
  const about = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const licence = typeof about.license === "string" ? about.license : about.license?.type;
  if (!licence) throw new Error(`${path} names no licence`);
  const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name));
  const text = file ? readFileSync(join(path, file), "utf8").trim() : "";
  texts.push(`${about.name} ${about.version} (${licence})\n${text}\n`);
}
writeFileSync("../include/airloom/web/static/LICENCES.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
