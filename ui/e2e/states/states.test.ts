// Take a picture of each state, light and dark, wide and narrow; look for what breaks in it.
import { mkdirSync, readFileSync } from "node:fs";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { DOWN, healthy, NOW, type Answer, type Answers } from "./answers";
import { serve, type Site } from "./site";
import { STATES, type State } from "./states";

const PICTURES = process.env["PICTURES"] ?? new URL("../../pictures", import.meta.url).pathname;
const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const LOOKS = [
  { theme: "light", width: 1310 },
  { theme: "dark", width: 900 },
] as const;

let site: Site;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  site = await serve();
  browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
});

afterAll(async () => {
  await browser.close();
  await site.close();
});

describe.each(LOOKS)("$theme, $width wide", ({ theme, width }) => {
  let context: BrowserContext;

  beforeAll(async () => {
    context = await browser.newContext({
      viewport: { width, height: 950 },
      colorScheme: theme,
      reducedMotion: "reduce",
      timezoneId: "Europe/Berlin",
      locale: "en-GB",
    });
    await context.clock.setFixedTime(NOW);
  });

  afterAll(() => context.close());

  test.concurrent.each(STATES)("$name", async (state) => {
    const page = await context.newPage();
    try {
      expect(await look(page, state, `${PICTURES}/${state.name}-${theme}.png`)).toEqual([]);
    } finally {
      await page.close();
    }
  });
});

test("a node is chosen and left by the keyboard", async () => {
  const page = await browser.newPage();
  await answerWith(page, healthy, []);
  await page.goto(`${site.address}/pipelines/daily_sales`);
  const node = page.getByLabel("Paid, filter");
  await node.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Paid" }).waitFor();
  await page.getByRole("button", { name: "Show the pipeline" }).press("Enter");
  await page.getByRole("tab", { name: "About" }).waitFor();
  expect(await node.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.close();
});

test("a lost connection is connected again", async () => {
  const page = await browser.newPage();
  let refusals = 1;
  await answerWith(page, healthy, []);
  await page.route("**/api/v1/events*", (route) => (refusals-- > 0 ? fulfil(route, DOWN) : route.fallback()));
  await page.goto(`${site.address}/pipelines`);
  await page.getByText("Connecting again").waitFor();
  await page.getByRole("status", { name: "Live" }).waitFor();
  await page.close();
});

/** Bring a page into a state, take its picture, and return what is wrong with it. */
async function look(page: Page, state: State, picture: string): Promise<string[]> {
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(`error: ${message}`));
  page.on("console", (message) => {
    // The browser itself says of each answer that it is a refusal.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      faults.push(`console: ${message.text()}`);
    }
  });
  await answerWith(page, { ...healthy, ...state.answers }, faults);
  await page.goto(`${site.address}${state.path}`);
  await state.steps?.(page);
  await page.getByText(state.shows).first().waitFor();
  // A part that waits for ever, a graph among them, is never drawn: its skeleton is what the picture is of.
  await (waits(state) ? page.locator(".chakra-skeleton").first().waitFor() : settle(page));
  await page.screenshot({ path: picture });
  return [...faults, ...(await overflow(page)), ...(state.large === true ? [] : await axe(page))];
}

const waits = ({ answers = {} }: State): boolean => Object.values(answers).includes("never");

/** Answer what the page asks of the API; `faults` gathers what there is no answer for. */
async function answerWith(page: Page, answers: Answers, faults: string[]): Promise<void> {
  await page.route(
    (url) => url.pathname.startsWith("/airloom/api/v1/") && (!url.pathname.endsWith("/events") || "/events" in answers),
    async (route) => {
      const path = new URL(route.request().url()).pathname.slice("/airloom/api/v1".length);
      const answer = answers[path];
      if (answer === undefined) {
        faults.push(`no answer for ${path}`);
      }
      await fulfil(route, answer ?? { status: 404, code: "NOT_FOUND", message: `there is no ${path}` });
    },
  );
}

async function fulfil(route: Parameters<Parameters<Page["route"]>[1]>[0], answer: Answer): Promise<void> {
  if (answer === "never") {
    return;
  }
  if ("body" in answer) {
    await route.fulfill({ json: answer.body });
  } else {
    await route.fulfill({ status: answer.status, json: answer, headers: { "X-Correlation-ID": "c0ffee" } });
  }
}

/** Wait until nothing is drawn any more, graphs included. */
async function settle(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector("[aria-label='Drawing the graph']") === null);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** A page fits its frame: what is wider scrolls in a part of its own. */
async function overflow(page: Page): Promise<string[]> {
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
    return scrollWidth > clientWidth || scrollHeight > clientHeight;
  });
  return wide ? ["the page is larger than its frame"] : [];
}

async function axe(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: (root: Document, options: object) => Promise<AxeResult> } };
    return (await axe.run(document, { resultTypes: ["violations"] })).violations;
  });
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `axe ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

interface AxeResult {
  violations: { id: string; impact: string; nodes: { html: string }[] }[];
}
