// A browser signed in to an Airflow: shared by journeys, pictures and measurements.
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** Return a page of a person who has signed in; `faults` gathers errors of the console and requests to other hosts. */
export async function signedIn(browser, base, { username, password, theme = "light", width = 1440, height = 950 }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  await context.addInitScript((value) => localStorage.setItem("theme", value), theme);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(base).origin) faults.push(`request to ${url.host}`);
  });
  await page.goto(`${base}/auth/login/?next=${encodeURIComponent(`${base}/`)}`);
  await page.fill("input[name=username]", username);
  await page.fill("input[name=password]", password);
  await page.click("input[type=submit]");
  await page.waitForURL((url) => !url.pathname.startsWith("/auth/login"));
  faults.length = 0;
  return { page, faults, context };
}

/** Open one of the pages within Airflow and return its frame. */
export async function open(page, base, path) {
  await page.goto(`${base}/plugin/airloom/airloom${path}`);
  const handle = await page.waitForSelector("iframe");
  const frame = await handle.contentFrame();
  await frame.waitForSelector("#root header, #root main", { timeout: 30_000 });
  return frame;
}
