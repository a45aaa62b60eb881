// What people do with the pages, in a real browser inside a real Airflow. The data are made by tests/integration/test_pages.py.
import { mkdirSync, readFileSync } from "node:fs";

import { launch, open, signedIn } from "./airflow.mjs";

const { base, people, pictures } = JSON.parse(process.argv[2]);
const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SERIOUS = ["serious", "critical"];
/** What a page of Airflow's says of itself when its session has ended. */
const OF_AIRFLOW = "Cannot read properties of undefined (reading 'tz')";
const failures = [];
mkdirSync(pictures, { recursive: true });

async function look(page, frame, name) {
  await page.screenshot({ path: `${pictures}/${name}.png` });
  await frame.evaluate(AXE);
  const { violations } = await frame.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of violations.filter((each) => SERIOUS.includes(each.impact))) {
    failures.push(`${name}: axe ${impact} ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
  }
}

/** Press Tab until the focus is where it is wanted, and is to be seen. */
async function tabTo(page, frame, name, key = "Tab") {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press(key);
    const focused = await frame.evaluate(() => {
      const element = document.activeElement;
      const isMarked = (each) => {
        const { outlineStyle, boxShadow } = getComputedStyle(each);
        return outlineStyle !== "none" || boxShadow !== "none";
      };
      return {
        name: element.getAttribute("aria-label") ?? element.textContent,
        // The mark of a node is drawn around its card.
        visible: [element, ...element.children].some(isMarked),
      };
    });
    if (focused.name?.includes(name)) {
      if (!focused.visible) failures.push(`the focus on ${name} is not to be seen`);
      return;
    }
  }
  throw new Error(`the keyboard does not reach ${name}`);
}

async function journey(browser, name, who, options, steps) {
  const { page, faults, context } = await signedIn(browser, base, { username: who, password: people[who], ...options });
  try {
    await steps(page);
    // `told` is what the browser's console says of what the journey asks for.
    const unexpected = faults.filter((fault) => !(options.told ?? []).some((text) => fault.includes(text)));
    failures.push(...unexpected.map((fault) => `${name}: ${fault}`));
    console.log(`${name}: done`);
  } catch (error) {
    failures.push(`${name}: ${error.message}`);
    await page.screenshot({ path: `${pictures}/failed-${name}.png` });
  } finally {
    await context.close();
  }
}

const browser = await launch();

await journey(browser, "author", "pages_author", {}, async (page) => {
  let frame = await open(page, base, "/pipelines");
  await frame.getByRole("searchbox", { name: "Search by name or id" }).fill("pages_good");
  const link = frame.getByRole("link", { name: "A good pipeline" });
  await link.waitFor();
  await look(page, frame, "pipelines-light");
  await link.click();
  await frame.getByRole("heading", { name: "A good pipeline" }).waitFor();
  await frame.getByText("Numbers", { exact: true }).click();
  await frame.getByRole("heading", { name: "Numbers" }).waitFor();
  await look(page, frame, "pipeline-light");
  // The address is Airflow's own: it can be shared, and survives a reload.
  if (!page.url().includes("/plugin/airloom/airloom/pipelines/pages_good?node=numbers")) {
    failures.push(`the address is not mirrored: ${page.url()}`);
  }
  await page.reload();
  frame = await (await page.waitForSelector("iframe")).contentFrame();
  await frame.getByRole("heading", { name: "Numbers" }).waitFor();
  await frame.getByRole("button", { name: "Show the pipeline" }).click();

  await frame.getByRole("button", { name: "Run", exact: true }).click();
  await frame.getByLabel("least").fill("2");
  await look(page, frame, "run-dialog-light");
  await frame.getByRole("dialog").getByRole("button", { name: "Run" }).click();
  // The run is watched without a reload.
  await frame.getByText("Success", { exact: true }).first().waitFor({ timeout: 120_000 });
  await frame.getByText("Big ones", { exact: true }).first().click();
  await frame.getByRole("tab", { name: "Rows" }).click();
  await frame.getByRole("cell", { name: "9E", exact: true }).waitFor();
  await look(page, frame, "run-rows-light");
  await frame.getByRole("tab", { name: "Log" }).click();
  await frame.getByRole("log").waitFor();
  // One node is run alone: by the keyboard, in another run, which says beforehand what becomes of the others.
  await tabTo(page, frame, "Only this node", "Shift+Tab");
  await page.keyboard.press("Enter");
  const part = frame.getByRole("dialog");
  await part.getByText("Are computed again, for what they gave was not kept").waitFor();
  await look(page, frame, "run-part-light");
  await part.getByRole("button", { name: "Run", exact: true }).press("Enter");
  await frame.getByText("Reused run", { exact: true }).waitFor();
  await frame.getByText("only Big ones", { exact: true }).waitFor();
  await frame.getByText("Success", { exact: true }).first().waitFor({ timeout: 120_000 });

  frame = await open(page, base, "/pipelines/pages_good/versions");
  await frame.getByRole("checkbox", { name: "Compare version 1" }).check({ force: true });
  await frame.getByRole("checkbox", { name: "Compare version 2" }).check({ force: true });
  await frame.getByText("From version 1 to 2").waitFor();
  await frame.getByText("Node big, where").waitFor();
  await look(page, frame, "versions-light");
  await frame.getByRole("button", { name: "Roll back to version 1" }).click();
  await frame.getByRole("alertdialog").getByRole("button", { name: "Roll back" }).click();
  await frame.getByRole("heading", { name: "Version 3" }).waitFor();

  // A draft that waits is published, and several pipelines are paused at once.
  frame = await open(page, base, "/pipelines/pages_secret");
  await frame.getByRole("button", { name: "Publish draft" }).click();
  await frame.getByRole("alertdialog").getByRole("button", { name: "Publish" }).click();
  await frame.getByText("Published as version 2").waitFor();
  frame = await open(page, base, "/pipelines?search=pages_secret");
  await frame.getByRole("checkbox", { name: "Choose pages_secret" }).check({ force: true });
  await frame.getByRole("toolbar", { name: "Chosen pipelines" }).getByRole("button", { name: "Pause" }).click();
  await frame.getByRole("cell", { name: "Paused" }).waitFor();

  frame = await open(page, base, "/pipelines/pages_slow");
  await frame.getByRole("button", { name: "Run", exact: true }).click();
  await frame.getByRole("button", { name: "Cancel", exact: true }).click({ timeout: 60_000 });
  await frame.getByRole("alertdialog").getByRole("button", { name: "Cancel the run" }).click();
  await frame.getByText("Failed", { exact: true }).first().waitFor({ timeout: 60_000 });
});

await journey(
  browser,
  "failure",
  "pages_viewer",
  { theme: "dark", width: 1100, told: ["status of 404"] },
  async (page) => {
    const frame = await open(page, base, "/runs?state=failed");
    await frame.getByRole("link", { name: "pages_broken" }).first().click();
    await frame.getByText("the file has no header").first().waitFor();
    await look(page, frame, "run-failed-dark");
    await frame.getByRole("link", { name: "Show the node" }).first().click();
    await frame.getByRole("tab", { name: "About" }).waitFor();
    if ((await frame.getByRole("button", { name: "Run again" }).count()) > 0) {
      failures.push("a viewer is offered to run again");
    }
    await open(page, base, "/pipelines/pages_secret").then((forbidden) =>
      forbidden.getByText("This is not here").waitFor(),
    );
  },
);

await journey(browser, "catalog", "pages_viewer", { theme: "dark" }, async (page) => {
  const frame = await open(page, base, "/catalog");
  await frame.getByRole("searchbox", { name: "Search node types" }).fill("group rows");
  await look(page, frame, "catalog-dark");
  await frame.getByRole("link", { name: /^Aggregate/ }).click();
  await frame.getByRole("heading", { name: "Config" }).first().waitFor();
  await look(page, frame, "node-type-dark");
  await page.keyboard.press("Control+k");
  await frame.getByRole("combobox").fill("good");
  await frame.getByRole("option", { name: /A good pipeline/ }).waitFor();
  await page.keyboard.press("Enter");
  await frame.getByRole("heading", { name: "A good pipeline" }).waitFor();
});

await journey(browser, "admin", "admin", {}, async (page) => {
  let frame = await open(page, base, "/operations");
  await frame.getByRole("heading", { name: "Runs by day" }).waitFor();
  await look(page, frame, "operations-light");
  frame = await open(page, base, "/access");
  await frame.getByRole("button", { name: "Make a token" }).click();
  await frame.getByLabel("What it is for").fill("a journey");
  await frame.getByRole("button", { name: "Make", exact: true }).click();
  await frame.getByRole("textbox", { name: "The token" }).waitFor();
  await look(page, frame, "token-light");
  // As tabs on Airflow's own pages.
  await page.goto(`${base}/dags/pages_good/plugin/airloom_pipeline`);
  frame = await (await page.waitForSelector("iframe")).contentFrame();
  await frame.getByText("Numbers", { exact: true }).waitFor();
  if ((await frame.getByRole("navigation", { name: "Airloom" }).count()) > 0) {
    failures.push("a tab shows the bar of Airloom");
  }
  await page.screenshot({ path: `${pictures}/tab-light.png` });
});

await journey(browser, "op", "pages_op", { width: 1100 }, async (page) => {
  const frame = await open(page, base, "/runs?state=failed");
  await frame.getByRole("link", { name: "pages_broken" }).first().click();
  await frame.getByText("the file has no header").first().waitFor();
  await frame.getByRole("button", { name: "Retry from failed" }).click();
  await frame.getByText("What failed runs again").waitFor();
  if ((await frame.getByRole("link", { name: "Operations" }).count()) > 0) {
    failures.push("an Op is offered the page of administrators");
  }
});

await journey(browser, "keyboard", "pages_author", {}, async (page) => {
  const frame = await open(page, base, "/pipelines");
  await frame.getByRole("link", { name: "A good pipeline" }).waitFor();
  await page.keyboard.press("Control+k");
  await frame.getByRole("combobox").waitFor();
  await page.keyboard.type("a good pipeline");
  await frame.getByRole("option", { name: /A good pipeline/ }).waitFor();
  await page.keyboard.press("Enter");
  await frame.getByRole("heading", { name: "A good pipeline" }).waitFor();
  await tabTo(page, frame, "Numbers, csv_read");
  await page.keyboard.press("Enter");
  await frame.getByRole("heading", { name: "Numbers" }).waitFor();
  await tabTo(page, frame, "Show the pipeline");
  await page.keyboard.press("Enter");
  await frame.getByRole("tab", { name: "Runs" }).waitFor();
  do {
    await tabTo(page, frame, "Run", "Shift+Tab");
  } while (!(await frame.evaluate(() => document.activeElement.textContent.trim() === "Run")));
  await page.keyboard.press("Enter");
  await frame.getByLabel("least").waitFor();
  await tabTo(page, frame, "Cancel");
  await page.keyboard.press("Enter");
  await frame.getByRole("dialog").waitFor({ state: "detached" });
});

await journey(browser, "session", "pages_author", { told: ["status of 401", OF_AIRFLOW] }, async (page) => {
  const frame = await open(page, base, "/pipelines/pages_good?view=usage");
  await frame.getByRole("heading", { name: "It is used by" }).waitFor();
  await page.context().clearCookies();
  // Whatever asks first is refused, which may be before the click.
  await frame
    .getByRole("tab", { name: "Sharing" })
    .click({ timeout: 5_000 })
    .catch(() => undefined);
  await page.waitForURL((url) => url.pathname.startsWith("/auth/login"));
  await page.fill("input[name=username]", "pages_author");
  await page.fill("input[name=password]", people["pages_author"]);
  await page.click("input[type=submit]");
  await page.waitForURL((url) => url.href.includes("/plugin/airloom/airloom/pipelines/pages_good?view="));
});

await browser.close();
console.log(failures.length === 0 ? "No failures" : failures.join("\n"));
process.exit(failures.length === 0 ? 0 : 1);
