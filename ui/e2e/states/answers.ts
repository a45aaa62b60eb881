// Answers of a healthy installation, typed by the API's own description; a state puts others in their place.
import type { components } from "src/api/schema";

type Schemas = components["schemas"];

/** What a route answers: a body, a refusal, or nothing for as long as the page is open. */
export type Answer = { body: unknown } | { status: number; code: string; message: string } | "never";
export type Answers = Record<string, Answer>;

export const NOW = "2026-11-29T12:00:00Z";
const at = (minutes: number): string => new Date(Date.parse(NOW) + minutes * 60_000).toISOString();

export const LONG =
  "Nightly consolidation of orders, returns and inventory movements for every warehouse of the northern region, as the finance department wants it";
export const LONG_ID = "nightly_consolidation_of_orders_returns_and_inventory_movements_for_every_warehouse_2026";

export const body = (value: unknown): Answer => ({ body: value });
export const refused = (status: number, code: string, message: string): Answer => ({ status, code, message });
export const DOWN = refused(503, "STORE_UNAVAILABLE", "the database of Airloom does not answer");
export const MISSING = refused(404, "NOT_FOUND", "there is no such pipeline, or you may not read it");
export const FORBIDDEN = refused(403, "FORBIDDEN", "only administrators may do this");

export const me: Schemas["Me"] = {
  id: "1",
  name: "ann",
  roles: ["Airloom Admin"],
  rights: ["read", "create", "code", "admin"],
  scopes: null,
  connections: null,
};

const type = (
  name: string,
  title: string,
  category: string,
  summary: string,
  more: Partial<Schemas["NodeTypeSummary"]> = {},
): Schemas["NodeTypeSummary"] => ({
  type: name,
  version: 1,
  category,
  title,
  summary,
  effect: "pure",
  role: "transform",
  code: false,
  icon: "box",
  stability: "stable",
  ...more,
});

export const catalog: Schemas["Catalog"] = {
  categories: ["files", "tables", "control", "code", "databases"],
  types: [
    type("csv_read", "Read CSV", "files", "Read rows from CSV files", { effect: "read", icon: "file-text" }),
    type("filter", "Filter", "tables", "Keep the rows for which a condition holds", { icon: "filter" }),
    type("aggregate", "Aggregate", "tables", "Group rows, and compute a value for each group", { icon: "sigma" }),
    type("join", "Join", "tables", "Bring rows of two tables together", { icon: "merge" }),
    type("for_each", "For each", "control", "Run a body once for each item", { icon: "repeat", stability: "preview" }),
    type("python_code", "Python code", "code", "Run a function of your own", { code: true, icon: "code" }),
    type("postgres_write", "Write PostgreSQL", "databases", "Write rows to a table", { effect: "write" }),
  ],
  problems: [],
  disabled: ["postgres_write"],
};

export const typeDetail: Schemas["NodeTypeDetail"] = {
  ...type("aggregate", "Aggregate", "tables", "Group rows, and compute a value for each group", { icon: "sigma" }),
  documentation: "",
  inputs: [{ name: "rows", kind: "table" }],
  outputs: [{ name: "rows", kind: "table" }],
  requires: null,
  switched_off: false,
  installed: true,
  presets: [],
  examples: [
    {
      title: "Revenue by day",
      config: { group_by: ["day"], measures: { revenue: "sum(amount)" } },
      inputs: {
        rows: [
          { day: "2026-01-01", amount: 12.5 },
          { day: "2026-01-01", amount: 7.5 },
          { day: "2026-01-02", amount: null },
        ],
      },
      outputs: {
        rows: [
          { day: "2026-01-01", revenue: 20 },
          { day: "2026-01-02", revenue: null },
        ],
      },
    },
  ],
  schema: {
    properties: {
      group_by: { type: "array", items: { type: "string" }, description: "Columns whose values make a group." },
      measures: { type: "object", description: "A name for each new column, and how it is computed." },
    },
    required: ["measures"],
  },
};

const STATES = ["success", "success", "failed", "success", "success", "success", "running"];
const recent = (count: number): Schemas["RecentRun"][] =>
  Array.from({ length: count }, (_, index) => ({
    run_id: `run_${index}`,
    state: STATES[index % STATES.length] ?? "success",
    seconds: 4 + ((index * 7) % 11),
    queued_at: at(-60 * (count - index)),
  }));

export const listed = (id: string, more: Partial<Schemas["ListedPipeline"]> = {}): Schemas["ListedPipeline"] => ({
  id,
  name: id.replaceAll("_", " "),
  version: 3,
  archived: false,
  closing: false,
  source: "folder",
  path: `${id}.json`,
  tags: ["sales"],
  owner: "ann",
  paused: false,
  next_run_at: at(90),
  created_at: at(-9000),
  created_by: "ann",
  updated_at: at(-300),
  updated_by: "ben",
  revision: 12,
  problems: 0,
  recent_runs: recent(14),
  ...more,
});

export const pipelines = [
  listed("daily_sales"),
  listed("returns", { paused: true, tags: [], recent_runs: recent(3) }),
  listed("new_draft", { version: 0, paused: null, next_run_at: null, recent_runs: [] }),
  listed("monthly_report", { problems: 2 }),
  listed("old_export", { archived: true, next_run_at: null, tags: ["old", "export", "finance"] }),
  listed(LONG_ID, { name: LONG, owner: "department-of-finance-and-controlling@example.org", tags: [LONG_ID] }),
];

export const brokenFile: Schemas["BrokenFile"] = {
  path: "finance/returns.json",
  pipeline: "returns",
  problems: [
    {
      code: "config.unknown",
      message: "field 'wher' is not a field of a filter",
      hint: "did you mean 'where'?",
      pointer: "/nodes/1/config/wher",
      line: 14,
      column: 9,
      severity: "error",
      node: "paid",
    },
  ],
};

export const page = <Item>(items: Item[], next: string | null = null) => ({ items, next_cursor: next });

const node = (id: string, name: string, kind: string, config: object) => ({ id, name, type: kind, config });
export const document = {
  id: "daily_sales",
  name: "Daily sales",
  description: "Paid orders of the day, summed for the report of the morning.",
  owner: "ann",
  tags: ["sales"],
  schedule: { cron: "0 6 * * *", timezone: "Europe/Berlin" },
  params: { least: { type: "integer", default: 1, description: "Orders below it are left out" } },
  nodes: [
    node("orders", "Orders", "csv_read", { path: "data/orders.csv" }),
    node("paid", "Paid", "filter", { where: "status = 'paid'" }),
    node("by_day", "By day", "aggregate", { group_by: ["day"], measures: { revenue: "sum(amount)" } }),
    node("report", "Report", "postgres_write", { table: "report" }),
  ],
  edges: [
    { from: "orders", to: "paid" },
    { from: "paid", to: "by_day" },
    { from: "by_day", to: "report" },
  ],
};

/** Return a document of a loop whose body has nodes of its own. */
export const looping = {
  name: "A loop",
  nodes: [
    node("shops", "Shops", "csv_read", { path: "shops.csv" }),
    {
      ...node("each", "Each shop", "for_each", { items: "rows" }),
      body: {
        nodes: [node("read", "Its orders", "csv_read", {}), node("sum", "Its revenue", "aggregate", {})],
        edges: [{ from: "read", to: "sum" }],
      },
    },
    node("all", "All of them", "aggregate", {}),
  ],
  edges: [
    { from: "shops", to: "each" },
    { from: "each", to: "all" },
  ],
  finally: {
    nodes: [node("state", "How it ended", "set", { value: "{{ run.state }}" }), node("tell", "Tell", "set", {})],
    edges: [{ from: "state", to: "tell" }],
  },
};

/** Return a document of many nodes, in chains of ten. */
export function large(count: number, name: string): object {
  const ids = Array.from({ length: count }, (_, index) => `node_${index}`);
  return {
    name,
    nodes: ids.map((id, index) => node(id, `Step ${index}`, index % 10 === 0 ? "csv_read" : "filter", { where: "a" })),
    edges: ids.flatMap((id, index) => (index % 10 === 0 ? [] : [{ from: ids[index - 1], to: id }])),
  };
}

export const detail = (
  id = "daily_sales",
  shown: object | null = document,
  more: Partial<Schemas["PipelineDetail"]> = {},
): Schemas["PipelineDetail"] => ({
  ...listed(id),
  name: (shown as { name?: string } | null)?.name ?? id,
  document: shown as Schemas["PipelineDetail"]["document"],
  draft_etag: null,
  may: ["read", "edit", "publish", "run", "own"],
  ...more,
});

const report = (name: string, more: Partial<Schemas["NodeReport"]> = {}): Schemas["NodeReport"] => ({
  node: name,
  index: "",
  state: "success",
  attempt: 1,
  fired: ["rows"],
  outputs: [{ port: "rows", kind: "table", rows: 1200, bytes: 48_000 }],
  rows: 1200,
  bytes: 48_000,
  seconds: 1.4,
  started_at: at(-30),
  ended_at: at(-30 + 0.03),
  statistics: {},
  error: null,
  ...more,
});

const ERROR = {
  code: "cast",
  message: "column amount: line 14 of data/orders.csv holds 'twelve', which is not a number",
  hint: "Correct the line, or send such rows to the port rejected",
  trace: "Traceback (most recent call last):\n  File ...",
};

export const summary = (id = "run_1", more: Partial<Schemas["RunSummary"]> = {}): Schemas["RunSummary"] => ({
  pipeline: "daily_sales",
  run_id: id,
  state: "success",
  version: 3,
  trigger: "clock",
  actor: "ann",
  correlation_id: "c0ffee",
  queued_at: at(-31),
  started_at: at(-30),
  ended_at: at(-29),
  seconds: 61,
  rows: 31,
  cost: null,
  params: { least: 1 },
  ...more,
});

export const run = (more: Partial<Schemas["RunDetail"]> = {}): Schemas["RunDetail"] => ({
  ...summary(),
  progress: 1,
  nodes: [report("orders"), report("paid", { rows: 830 }), report("by_day", { rows: 31 }), report("report")],
  ...more,
});

export const failedRun = run({
  state: "failed",
  rows: null,
  nodes: [
    report("orders", { state: "failed", rows: null, outputs: [], error: ERROR }),
    report("paid", { state: "not_run", rows: null, outputs: [], fired: [], attempt: 0, started_at: null }),
    report("by_day", { state: "not_run", rows: null, outputs: [], fired: [], attempt: 0, started_at: null }),
    report("report", { state: "not_run", rows: null, outputs: [], fired: [], attempt: 0, started_at: null }),
  ],
});

/** A run of a part, which another run has done the first half of. */
export const partRun = run({
  trigger: "hand",
  rows: null,
  reuse: {
    run_id: "run_0",
    nodes: { from: "by_day" },
    writes: false,
    parts: { orders: "reused", paid: "reused", by_day: "run", report: "silent" },
  },
  nodes: [
    ...["orders", "paid"].map((name) =>
      report(name, {
        state: "reused",
        started_at: null,
        ended_at: null,
        seconds: null,
        statistics: { reused: "run_0" },
      }),
    ),
    report("by_day", { rows: 31 }),
    report("report", { state: "skipped", rows: null, outputs: [], fired: [], seconds: null, started_at: null }),
  ],
});

export const partPreview = (more: Partial<Schemas["RunPreview"]> = {}): Schemas["RunPreview"] => ({
  version: 4,
  params: { least: 1 },
  nodes: [
    { node: "orders", part: "again" },
    { node: "paid", part: "reused" },
    { node: "by_day", part: "run" },
    { node: "report", part: "silent" },
  ],
  problems: [],
  ...more,
});

export const partProblems = [
  {
    code: "partial.reuse",
    message:
      "node 'paid' gave in run 'run_1' what is gone: at rows, /data/daily_sales/run_1/paid/-/rows-1.parquet is not there any more",
    hint: "run from node 'paid', or reuse another run",
    severity: "error",
  },
  {
    code: "partial.reuse",
    message: "node 'orders' is to read again what it read in run 'run_1', and data/orders.csv has changed since",
    hint: "run from node 'orders', or reuse another run",
    severity: "error",
  },
];

export const loopRun = run({
  state: "running",
  progress: 0.4,
  ended_at: null,
  nodes: [
    report("shops", { rows: 3 }),
    report("each", { state: "running", rows: null, ended_at: null }),
    ...["0", "1", "2"].flatMap((index) => [
      report("read", { index, rows: 40 }),
      report("sum", { index, state: index === "2" ? "running" : "success", rows: 1 }),
    ]),
    report("all", { state: "queued", rows: null, started_at: null, attempt: 0 }),
  ],
});

/** Return what nodes of a large pipeline report, one after the other. */
export const manyReports = (count: number): Schemas["NodeReport"][] =>
  Array.from({ length: count }, (_, index) =>
    report(`node_${index}`, { started_at: at(-30 + index * 0.02), ended_at: at(-30 + (index + 1) * 0.02) }),
  );

/** Return the timeline of a run; the first nodes are one step. */
export const timeline = (shown: Schemas["RunDetail"], grouped = 2): Schemas["TimelineEntry"][] =>
  shown.nodes.map(({ node: name, index, state, started_at: start, ended_at: end, seconds }, position) => ({
    node: name,
    index,
    step: position < grouped ? "orders" : name,
    state,
    started_at: start,
    ended_at: end,
    seconds,
  }));

export const rows: Schemas["NodeOutput"] = {
  port: "rows",
  kind: "table",
  columns: [
    ["day", "DATE"],
    ["revenue", "DECIMAL(18,2)"],
    ["note", "VARCHAR"],
  ],
  rows: Array.from({ length: 31 }, (_, index) => ({
    day: `2026-01-${String(index + 1).padStart(2, "0")}`,
    revenue: index % 5 === 0 ? null : ((index * 37) % 19) * 10.5,
    note: index % 3 === 0 ? "weekend" : "",
  })),
  total: 31,
  next_cursor: null,
};

export const version = (number: number, shown: object = document): Schemas["VersionDetail"] => ({
  pipeline: "daily_sales",
  number,
  author: number % 2 === 0 ? "ben" : "ann",
  message: number === 1 ? "" : `Change number ${number}`,
  created_at: at(-1000 * (4 - number)),
  revision: number * 4,
  hash: "9f2a",
  document: shown as Schemas["VersionDetail"]["document"],
  functions: {},
});

export const difference: Schemas["Difference"] = {
  pipeline: "daily_sales",
  before: "2",
  after: "3",
  changes: [
    { what: "node", change: "changed", name: "paid", field: "where", before: "true", after: "status = 'paid'" },
    { what: "node", change: "added", name: "report", field: "", after: "postgres_write" },
    { what: "edge", change: "added", name: "by_day → report", field: "" },
    { what: "pipeline", change: "changed", name: "", field: "description", before: "Orders", after: "Paid orders" },
  ],
};

export const token = (name: string, more: Partial<Schemas["Token"]> = {}): Schemas["Token"] => ({
  id: name,
  name,
  user_name: "ann",
  scopes: ["read", "run"],
  pipelines: null,
  tags: null,
  created_at: at(-5000),
  expires_at: null,
  used_at: at(-40),
  revoked_at: null,
  ...more,
});

const grant = (object: string, kind: "user" | "role", subject: string): Schemas["GrantedUse"] => ({
  object,
  subject_kind: kind,
  subject,
  granted_by: "ann",
  granted_at: at(-3000),
});

export const collaborators: Schemas["Collaborator"][] = [
  { subject_kind: "user", subject: "ben", level: "editor", granted_by: "ann", granted_at: at(-3000) },
  { subject_kind: "role", subject: "Airloom Viewer", level: "reader", granted_by: "ann", granted_at: at(-3000) },
];

export const health: Schemas["Health"] = {
  status: "ready",
  version: "0.1.0",
  parts: { store: "answers", airflow: "answers", storage: "can be written", worker: "seen 2 s ago" },
};

const finding = (name: string, state: Schemas["Finding"]["state"], message: string, hint: string | null = null) => ({
  area: "Airflow",
  name,
  state,
  message,
  hint,
});

export const examination: Schemas["Examination"] = {
  right: false,
  findings: [
    finding("core.executor", "right", "LocalExecutor"),
    finding("memory", "advice", "8.2 GB; a table step may use 4 GB, and 16 may run at once", "lower core.parallelism"),
    finding("scheduler", "wrong", "it was last seen 12 minutes ago", "start it: airflow scheduler"),
  ],
};

export const queues: Schemas["Queues"] = {
  queues: [{ kind: "run_ended", waiting: 2, running: 1, oldest_at: at(-1) }],
  dead: [
    {
      id: 7,
      kind: "start",
      created_at: at(-200),
      attempts: 7,
      last_error: "Airflow does not answer at http://127.0.0.1:8080",
    },
  ],
};

export const figures: Schemas["Figures"] = {
  since: at(-60 * 24 * 14),
  days: Array.from({ length: 14 }, (_, index) => ({
    day: new Date(Date.parse(NOW) - (14 - index) * 86_400_000).toISOString().slice(0, 10),
    runs: 20 + index,
    succeeded: 20 + index - (index % 4),
    failed: index % 4,
    median_seconds: 3.2 + index,
    rows: 40_000 + index * 1_313,
  })),
};

export const log: Schemas["LogPage"] = {
  attempt: 1,
  lines: [
    { at: at(-30), level: "info", text: "orders: 1,200 rows read from data/orders.csv", folded: false },
    { at: at(-30), level: "error", text: ERROR.message, folded: false },
  ],
  next_cursor: null,
};

const PIPELINE = "/pipelines/daily_sales";
const RUN = `${PIPELINE}/runs/run_1`;

/** What each route answers where a state says nothing else, by its path below `/api/v1`. */
export const healthy: Answers = {
  "/me": body(me),
  "/catalog": body(catalog),
  "/catalog/types/aggregate": body(typeDetail),
  "/catalog/types/aggregate/users": body([
    { pipeline: "daily_sales", node: "by_day", kind: "type", name: "aggregate" },
  ]),
  "/pipelines": body(page(pipelines)),
  "/problems": body(page([])),
  [PIPELINE]: body(detail()),
  [`${PIPELINE}/collaborators`]: body(collaborators),
  [`${PIPELINE}/usage`]: body({
    uses: [{ node: "report", kind: "connection", name: "warehouse" }],
    used_by: [{ pipeline: "monthly", node: "sales", kind: "pipeline", name: "daily_sales" }],
  }),
  [`${PIPELINE}/versions`]: body(page([3, 2, 1].map((number) => version(number)))),
  [`${PIPELINE}/versions/3`]: body(version(3)),
  [`${PIPELINE}/versions/2`]: body(
    version(2, { ...document, nodes: document.nodes.slice(0, 3), edges: document.edges.slice(0, 2) }),
  ),
  [`${PIPELINE}/diff`]: body(difference),
  [RUN]: body(run()),
  [`${RUN}/timeline`]: body(timeline(run())),
  [`${RUN}/artifacts`]: body([]),
  [`${RUN}/nodes/by_day/rows`]: body(rows),
  [`${RUN}/nodes/orders/attempts`]: body([
    { task: "orders", index: "", map_index: -1, number: 1, state: "failed", started_at: at(-30) },
  ]),
  [`${RUN}/nodes/orders/logs`]: body(log),
  "/runs": body(page([summary(), summary("run_0", { state: "failed" })])),
  "/connections": body([]),
  "/grants/connections": body([grant("warehouse", "user", "ben"), grant("lake", "role", "Airloom Author")]),
  "/grants/code": body([grant("", "user", "ben")]),
  "/tokens": body([token("reports"), token("old", { revoked_at: at(-10) })]),
  "/health/ready": body(health),
  "/operations/queues": body(queues),
  "/operations/doctor": body(examination),
  "/figures": body(figures),
};
