// How long a person waits for pages: ours and Airflow's own in turn, in one browser. The data are made by bench/pages.py.
import { launch, signedIn } from "./airflow.mjs";

const { base, username, password, rounds, pages } = JSON.parse(process.argv[2]);
const MOVES = 60;
const browser = await launch();
const { page } = await signedIn(browser, base, { username, password, width: 1440 });
await page.evaluate(() => localStorage.setItem("default_dag_view", JSON.stringify("graph")));

/** Return the milliseconds from asking for a page until so many of its things are drawn. */
async function wait({ path, framed, selector, count }) {
  await page.goto("about:blank");
  const began = performance.now();
  await page.goto(`${base}${path}`, { waitUntil: "commit" });
  const root = framed ? page.frameLocator("iframe") : page;
  await root
    .locator(selector)
    .nth(count - 1)
    .waitFor({ state: "attached", timeout: 60_000 });
  return performance.now() - began;
}

/** Return the milliseconds between the frames that are drawn while a graph is moved by the mouse. */
async function move({ framed }) {
  const frame = framed ? page.frames().find((each) => each !== page.mainFrame()) : page.mainFrame();
  const box = await frame.locator(".react-flow__pane").boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + 20];
  await frame.evaluate(() => {
    const times = [];
    globalThis.frameTimes = times;
    const note = (time) => {
      times.push(time);
      requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
  });
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let step = 1; step <= MOVES; step += 1) {
    await page.mouse.move(x + 3 * step, y + step);
  }
  await page.mouse.up();
  const times = await frame.evaluate(() => globalThis.frameTimes);
  return times.slice(1).map((time, at) => time - times[at]);
}

const times = Object.fromEntries(pages.map(({ name }) => [name, []]));
for (let round = 0; round <= rounds; round += 1) {
  for (const each of pages) {
    const took = await wait(each);
    // The first round fills the caches of browser and server.
    if (round > 0) times[each.name].push(took);
    if (round > 0 && each.moves !== null) (times[each.moves] ??= []).push(...(await move(each)));
  }
}
await browser.close();
console.log(JSON.stringify(times));
