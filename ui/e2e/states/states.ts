// Every state of every page: what the server answers, and what is then to be seen. A state without its picture fails.
import type { Page } from "playwright-core";

import * as answer from "./answers";
import { body, DOWN, FORBIDDEN, MISSING, type Answers } from "./answers";

export interface State {
  name: string;
  path: string;
  /** What other routes answer than those of a healthy installation. */
  answers?: Answers;
  /** A text that is there once the state is; it stands in no other state of the page. */
  shows: string;
  /** It shows so much that looking for faults of access takes longer than all else; smaller states show the same parts. */
  large?: boolean;
  /** What somebody does first. */
  steps?: (page: Page) => Promise<void>;
}

const RUN = "/pipelines/daily_sales/runs/run_1";
const of = (document: object, run: ReturnType<typeof answer.run>, grouped?: number): Answers => ({
  "/pipelines/daily_sales": body(answer.detail("daily_sales", document)),
  "/pipelines/daily_sales/versions/3": body(answer.version(3, document)),
  [RUN]: body(run),
  [`${RUN}/timeline`]: body(answer.timeline(run, grouped)),
});
const viewer = body({ ...answer.me, name: "vera", roles: ["Airloom Viewer"], rights: ["read"] });
const thousand = Array.from({ length: 1000 }, (_, index) => answer.listed(`pipeline_${index}`));
const many = (count: number) => answer.large(count, `A pipeline of ${count} nodes`);

const PIPELINES: State[] = [
  { name: "pipelines", path: "/pipelines", shows: "daily sales" },
  { name: "pipelines-loading", path: "/pipelines", answers: { "/pipelines": "never" }, shows: "Last runs" },
  {
    name: "pipelines-empty",
    path: "/pipelines",
    answers: { "/pipelines": body(answer.page([])) },
    shows: "No pipelines yet",
  },
  {
    name: "pipelines-no-match",
    path: "/pipelines?search=zebra",
    answers: { "/pipelines": body(answer.page([])) },
    shows: "No pipeline is like that",
  },
  { name: "pipelines-error", path: "/pipelines", answers: { "/pipelines": DOWN }, shows: "Try again" },
  {
    name: "pipelines-1000",
    path: "/pipelines",
    answers: { "/pipelines": body(answer.page(thousand)) },
    shows: "pipeline 3",
  },
  {
    name: "pipelines-chosen",
    path: "/pipelines",
    shows: "2 pipelines chosen",
    steps: async (page) => {
      await page.getByLabel("Choose daily sales").check({ force: true });
      await page.getByLabel("Choose returns").check({ force: true });
    },
  },
  {
    name: "pipelines-tag",
    path: "/pipelines",
    shows: "Tag 1 pipeline",
    steps: async (page) => {
      await page.getByLabel("Choose returns").check({ force: true });
      await page.getByRole("toolbar").getByRole("button", { name: "Tag" }).click();
    },
  },
  {
    name: "pipelines-connection-lost",
    path: "/pipelines",
    answers: { "/events": DOWN },
    shows: "Connecting again",
    steps: (page) => page.getByText("daily sales").waitFor(),
  },
  {
    name: "pipelines-broken-files",
    path: "/pipelines",
    answers: { "/problems": body(answer.page([answer.brokenFile])) },
    shows: "did you mean",
    steps: (page) => page.getByRole("button", { name: "Show why" }).click(),
  },
  {
    name: "palette",
    path: "/pipelines",
    shows: "Filter (filter)",
    steps: async (page) => {
      await page.getByRole("button", { name: "Search" }).click();
      await page.getByRole("combobox").fill("filter");
    },
  },
];

const PIPELINE: State[] = [
  { name: "pipeline", path: "/pipelines/daily_sales", shows: "Paid orders of the day" },
  {
    name: "pipeline-loading",
    path: "/pipelines/daily_sales",
    answers: { "/pipelines/daily_sales": "never" },
    shows: "Pipelines",
  },
  {
    name: "pipeline-error",
    path: "/pipelines/daily_sales",
    answers: { "/pipelines/daily_sales": DOWN },
    shows: "Try again",
  },
  {
    name: "pipeline-forbidden",
    path: "/pipelines/secret",
    answers: { "/pipelines/secret": MISSING },
    shows: "This is not here",
  },
  { name: "pipeline-node", path: "/pipelines/daily_sales?node=paid", shows: "Rows of its last runs" },
  { name: "pipeline-runs", path: "/pipelines/daily_sales?view=runs", shows: "by clock" },
  { name: "pipeline-usage", path: "/pipelines/daily_sales?view=usage", shows: "It is used by" },
  { name: "pipeline-sharing", path: "/pipelines/daily_sales?view=sharing", shows: "Role Airloom Viewer" },
  {
    name: "pipeline-share",
    path: "/pipelines/daily_sales?view=sharing",
    shows: "User name",
    steps: (page) => page.getByRole("button", { name: "Share" }).click(),
  },
  {
    name: "pipeline-never-run",
    path: "/pipelines/daily_sales?view=runs",
    answers: { "/runs": body(answer.page([])) },
    shows: "It has not run yet",
  },
  {
    name: "pipeline-draft",
    path: "/pipelines/daily_sales",
    answers: {
      "/pipelines/daily_sales": body(answer.detail("daily_sales", null, { version: 0, draft_etag: "e" })),
    },
    shows: "Publish draft",
  },
  {
    name: "pipeline-viewer",
    path: "/pipelines/daily_sales",
    answers: { "/me": viewer, "/pipelines/daily_sales": body({ ...answer.detail(), may: ["read"] }) },
    shows: "Paid orders of the day",
  },
  {
    name: "pipeline-long-names",
    path: "/pipelines/daily_sales",
    answers: of({ ...answer.document, name: answer.LONG, owner: answer.LONG_ID, tags: [answer.LONG_ID] }, answer.run()),
    shows: "Paid orders of the day",
  },
  {
    name: "pipeline-loop",
    path: "/pipelines/daily_sales",
    answers: of(answer.looping, answer.run({ nodes: [] })),
    shows: "Its revenue",
  },
  {
    name: "pipeline-loop-folded",
    path: "/pipelines/daily_sales",
    answers: of(answer.looping, answer.run({ nodes: [] })),
    shows: "Each shop",
    steps: (page) => page.getByRole("button", { name: "Fold Each shop" }).click(),
  },
  {
    name: "pipeline-200-nodes",
    path: "/pipelines/daily_sales",
    answers: of(many(200), answer.run({ nodes: [] })),
    large: true,
    shows: "A pipeline of 200 nodes",
  },
  {
    name: "pipeline-500-nodes",
    path: "/pipelines/daily_sales",
    answers: of(many(500), answer.run({ nodes: [] })),
    large: true,
    shows: "A pipeline of 500 nodes",
  },
  {
    name: "run-dialog",
    path: "/pipelines/daily_sales",
    shows: "Orders below it are left out",
    steps: (page) => page.getByRole("button", { name: "Run", exact: true }).click(),
  },
  { name: "tab", path: "/tab/pipelines/daily_sales", shows: "Open in Airloom" },
  {
    name: "tab-of-a-foreign-dag",
    path: "/tab/pipelines/other",
    answers: { "/pipelines/other": MISSING },
    shows: "This DAG is not a pipeline of Airloom",
  },
];

const VERSIONS: State[] = [
  { name: "versions", path: "/pipelines/daily_sales/versions", shows: "Version 3" },
  {
    name: "versions-loading",
    path: "/pipelines/daily_sales/versions",
    answers: { "/pipelines/daily_sales/versions": "never" },
    shows: "Versions",
  },
  { name: "versions-compared", path: "/pipelines/daily_sales/versions?before=2&after=3", shows: "From version 2 to 3" },
  {
    name: "versions-error",
    path: "/pipelines/daily_sales/versions",
    answers: { "/pipelines/daily_sales/versions": DOWN },
    shows: "Try again",
  },
];

const RUNS: State[] = [
  { name: "runs", path: "/runs", shows: "daily_sales" },
  { name: "runs-loading", path: "/runs", answers: { "/runs": "never" }, shows: "Runs" },
  { name: "runs-empty", path: "/runs", answers: { "/runs": body(answer.page([])) }, shows: "Nothing has run yet" },
  { name: "runs-error", path: "/runs", answers: { "/runs": DOWN }, shows: "Try again" },
  { name: "run", path: RUN, shows: "Rows written" },
  { name: "run-loading", path: RUN, answers: { [RUN]: "never" }, shows: "Pipelines" },
  { name: "run-error", path: RUN, answers: { [RUN]: DOWN }, shows: "Try again" },
  {
    name: "run-failed-group",
    path: RUN,
    answers: of(answer.document, answer.failedRun, 3),
    shows: "which is not a number",
  },
  {
    name: "run-failed-node",
    path: `${RUN}?node=orders`,
    answers: of(answer.document, answer.failedRun, 3),
    shows: "Correct the line",
  },
  { name: "run-loop", path: RUN, answers: of(answer.looping, answer.loopRun), shows: "40 % of the nodes have ended" },
  {
    name: "run-loop-item",
    path: `${RUN}?node=sum&index=1`,
    answers: of(answer.looping, answer.loopRun),
    shows: "Fired",
  },
  { name: "run-part", path: RUN, answers: of(answer.document, answer.partRun, 0), shows: "Reused run" },
  {
    name: "run-part-reused-node",
    path: `${RUN}?node=paid`,
    answers: of(answer.document, answer.partRun, 0),
    shows: "Taken from",
  },
  {
    name: "run-part-silent-node",
    path: `${RUN}?node=report`,
    answers: of(answer.document, answer.partRun, 0),
    shows: "silent, for it writes",
  },
  {
    name: "run-retry-from",
    path: `${RUN}?node=by_day`,
    shows: "Nodes that write do so again",
    steps: async (page) => page.getByRole("button", { name: "Retry from here" }).press("Enter"),
  },
  {
    name: "run-part-dialog",
    path: `${RUN}?node=by_day`,
    answers: { "/pipelines/daily_sales/runs/preview": body(answer.partPreview()) },
    shows: "Are computed again",
    steps: async (page) => page.getByRole("button", { name: "Run from here" }).press("Enter"),
  },
  {
    name: "run-part-refused",
    path: `${RUN}?node=by_day`,
    answers: {
      "/pipelines/daily_sales/runs/preview": body(answer.partPreview({ nodes: [], problems: answer.partProblems })),
    },
    shows: "This run cannot begin",
    steps: async (page) => page.getByRole("button", { name: "Only this node" }).press("Enter"),
  },
  {
    name: "run-part-loading",
    path: `${RUN}?node=by_day`,
    answers: { "/pipelines/daily_sales/runs/preview": "never" },
    shows: "A new run of the current version",
    steps: async (page) => page.getByRole("button", { name: "Run until here" }).press("Enter"),
  },
  { name: "run-rows", path: `${RUN}?node=by_day&tab=rows`, shows: "31 rows" },
  {
    name: "run-rows-gone",
    path: `${RUN}?node=by_day&tab=rows`,
    answers: { [`${RUN}/nodes/by_day/rows`]: answer.refused(410, "GONE", "its rows were removed after 7 days") },
    shows: "its rows were removed after 7 days",
  },
  { name: "run-log", path: `${RUN}?node=orders&tab=log`, shows: "1,200 rows read" },
  {
    name: "run-200-nodes",
    path: RUN,
    answers: of(many(200), answer.run({ nodes: answer.manyReports(200), seconds: 300 })),
    large: true,
    shows: "A pipeline of 200 nodes",
  },
  { name: "run-tab", path: `/tab${RUN}`, shows: "Open in Airloom" },
];

const OTHERS: State[] = [
  { name: "catalog", path: "/catalog", shows: "Group rows, and compute a value" },
  { name: "catalog-loading", path: "/catalog", answers: { "/catalog": "never" }, shows: "Node types" },
  { name: "catalog-no-match", path: "/catalog?search=zebra", shows: "No node type has these words" },
  { name: "catalog-error", path: "/catalog", answers: { "/catalog": DOWN }, shows: "Try again" },
  { name: "node-type", path: "/catalog/aggregate", shows: "Revenue by day" },
  {
    name: "node-type-missing",
    path: "/catalog/agregate",
    answers: { "/catalog/types/agregate": answer.refused(404, "NOT_FOUND", "there is no node type 'agregate'") },
    shows: "there is no node type",
  },
  { name: "access", path: "/access", shows: "Make a token" },
  { name: "access-empty", path: "/access", answers: { "/tokens": body([]) }, shows: "No tokens yet" },
  { name: "access-loading", path: "/access", answers: { "/tokens": "never", "/me": "never" }, shows: "Service tokens" },
  { name: "access-error", path: "/access", answers: { "/tokens": DOWN }, shows: "Try again" },
  {
    name: "new-token",
    path: "/access",
    shows: "What it is for",
    steps: (page) => page.getByRole("button", { name: "Make a token" }).click(),
  },
  {
    name: "access-viewer",
    path: "/access",
    answers: { "/me": viewer, "/tokens": body([]) },
    shows: "No tokens yet",
  },
  {
    name: "new-grant",
    path: "/access",
    shows: "User name",
    steps: (page) => page.getByRole("button", { name: "Grant a Connection" }).click(),
  },
  { name: "operations", path: "/operations", shows: "Given up" },
  {
    name: "operations-loading",
    path: "/operations",
    answers: Object.fromEntries(
      ["/operations/queues", "/operations/doctor", "/figures", "/health/ready"].map((path) => [path, "never"]),
    ),
    shows: "Operations",
  },
  {
    name: "operations-idle",
    path: "/operations",
    answers: {
      "/operations/queues": body({ queues: [], dead: [] }),
      "/operations/doctor": body({ right: true, findings: answer.examination.findings.slice(0, 1) }),
      "/figures": body({ ...answer.figures, days: [] }),
    },
    shows: "Nothing waits",
  },
  {
    name: "operations-forbidden",
    path: "/operations",
    answers: { "/me": viewer, "/operations/queues": FORBIDDEN, "/operations/doctor": FORBIDDEN },
    shows: "You have no right to this",
  },
  {
    name: "operations-clean-up",
    path: "/operations",
    shows: "Clean up now?",
    steps: (page) => page.getByRole("button", { name: "Clean up" }).click(),
  },
  {
    name: "operations-without-worker",
    path: "/operations",
    answers: {
      "/operations/doctor": answer.refused(503, "SERVICE_UNAVAILABLE", "no worker runs, and only a worker can examine"),
    },
    shows: "no worker runs",
  },
  { name: "no-such-page", path: "/nowhere", shows: "There is no page at this address" },
];

export const STATES = [...PIPELINES, ...PIPELINE, ...VERSIONS, ...RUNS, ...OTHERS];
