import { describe, expect, it } from "vitest";

import { changeText, edgeChanges, mergedDocument, nodeChanges } from "./diff";
import { bodySizes, foldedGraph, graphOf, longestChain, summaryOf } from "./graph";
import { scheduleText } from "./schedule";
import { fieldOf, firstValues } from "./schema";
import { timelineOf, type Entry } from "./timeline";

describe("foldedGraph", () => {
  const graph = graphOf({
    nodes: [
      { id: "a", type: "set" },
      {
        id: "outer",
        type: "for_each",
        body: {
          nodes: [
            { id: "b", type: "set" },
            { id: "inner", type: "for_each", body: { nodes: [{ id: "c", type: "set" }] } },
          ],
          edges: [{ from: "b", to: "inner" }],
        },
      },
    ],
    edges: [{ from: "a", to: "outer" }],
  });

  it("leaves out what stands in a body, however deep", () => {
    const ids = (folded: string[]) => foldedGraph(graph, new Set(folded)).nodes.map(({ id }) => id);
    expect(ids([])).toEqual(["a", "outer", "b", "inner", "c"]);
    expect(ids(["inner"])).toEqual(["a", "outer", "b", "inner"]);
    expect(ids(["outer"])).toEqual(["a", "outer"]);
    expect(foldedGraph(graph, new Set(["outer"])).edges.map(({ id }) => id)).toEqual(["a → outer"]);
  });

  it("counts what it would leave out", () => {
    expect(bodySizes(graph)).toEqual({ outer: 3, inner: 1 });
  });
});

describe("graphOf", () => {
  it("has what runs at the end as nodes of one that holds them", () => {
    const graph = graphOf({
      nodes: [{ id: "a", type: "set" }],
      finally: {
        nodes: [
          { id: "note", type: "set" },
          { id: "sent", type: "set" },
        ],
        edges: [{ from: "note", to: "sent" }],
      },
    });
    expect(graph.nodes.map(({ id, parent }) => [id, parent])).toEqual([
      ["a", null],
      ["finally", null],
      ["note", "finally"],
      ["sent", "finally"],
    ]);
    expect(graph.edges.map(({ id }) => id)).toEqual(["note → sent"]);
  });

  it("has the nodes of bodies with the node that they belong to, and edges with their ports", () => {
    const graph = graphOf({
      nodes: [
        { id: "a", type: "set" },
        {
          id: "each",
          type: "for_each",
          body: { nodes: [{ id: "b", type: "set" }], edges: [{ from: "loop.item", to: "b" }] },
        },
      ],
      edges: [{ from: "a.value", to: "each.items" }],
    });
    expect(graph.nodes.map(({ id, parent }) => [id, parent])).toEqual([
      ["a", null],
      ["each", null],
      ["b", "each"],
    ]);
    expect(graph.edges).toEqual([
      { id: "a.value → each.items", source: "a", target: "each", sourcePort: "value", targetPort: "items" },
    ]);
  });

  it("is empty for an empty document", () => {
    expect(graphOf({})).toEqual({ nodes: [], edges: [] });
  });
});

describe("longestChain", () => {
  const chain = (...edges: [string, string][]) =>
    graphOf({
      nodes: ["a", "b", "c", "d"].map((id) => ({ id, type: "set" })),
      edges: edges.map(([from, to]) => ({ from, to })),
    });

  it.each([
    [chain(), 1],
    [chain(["a", "b"], ["b", "c"], ["a", "d"]), 3],
    [chain(["a", "b"], ["b", "a"]), 2],
    [graphOf({}), 0],
  ])("counts nodes", (graph, length) => {
    expect(longestChain(graph)).toBe(length);
  });
});

describe("summaryOf", () => {
  it.each([
    [{ where: "status = 'paid'", limit: 3 }, "status = 'paid'"],
    [{ by: ["day", "carrier"] }, "day, carrier"],
    [{ columns: { total: "sum(x)" } }, "total = sum(x)"],
    [{}, null],
    [{ enabled: true }, null],
  ])("tells the most of %j", (config, text) => {
    expect(summaryOf({ id: "n", type: "t", config })).toBe(text);
  });

  it("is one short line", () => {
    const text = summaryOf({ id: "n", type: "t", config: { sql: `select\n${"x".repeat(200)}` } });
    expect(text).toHaveLength(80);
    expect(text).not.toContain("\n");
  });
});

describe("scheduleText", () => {
  it.each([
    [undefined, "Only when it is started"],
    [{ every: "5m" }, "Every 5m"],
    [{ cron: "0 2 * * *", timezone: "Europe/Berlin" }, "Every day at 02:00, Europe/Berlin"],
    [{ cron: "30 6 * * 1-5" }, "Monday to Friday at 06:30"],
    [{ cron: "15 * * * *" }, "Every hour at minute 15"],
    [{ cron: "0 0 1 */3 *" }, "Cron 0 0 1 */3 *"],
  ])("says %j in words", (schedule, text) => {
    expect(scheduleText(schedule)).toBe(text);
  });
});

describe("fieldOf", () => {
  it.each([
    [{ type: "string" }, "text"],
    [{ type: "string", format: "date" }, "date"],
    [{ type: "string", format: "date-time" }, "datetime-local"],
    [{ type: ["integer", "null"] }, "number"],
    [{ type: "boolean" }, "boolean"],
    [{ enum: ["a", 1, null] }, "choice"],
    [{ type: "array", items: { type: "string" } }, "texts"],
    [{ type: "array", items: { type: "integer" } }, "json"],
    [{ type: "object" }, "json"],
    [{}, "json"],
  ])("asks for %j by %s", (schema, kind) => {
    expect(fieldOf(schema).kind).toBe(kind);
  });

  it("begins with defaults, and with what is given in their place", () => {
    const schemas = { a: { default: 1 }, b: { default: null }, c: { type: "string" } };
    expect(firstValues(schemas, { a: 2 })).toEqual({ a: 2, b: null });
  });
});

describe("differences", () => {
  const changes = [
    { what: "node", change: "added", name: "n", field: "", after: "filter" },
    { what: "node", change: "changed", name: "m", field: "/config/where", before: "a", after: "b" },
    { what: "edge", change: "removed", name: "m → o" },
    { what: "setting", change: "changed", name: "/schedule", field: "", before: null, after: { every: "1h" } },
  ];

  it("marks nodes and edges", () => {
    expect(nodeChanges(changes)).toEqual({ n: "added", m: "changed" });
    expect(edgeChanges(changes)).toEqual({ "m → o": "removed" });
  });

  it("says them in words", () => {
    expect(changes.map((change) => changeText(change))).toEqual([
      { title: "Node n (filter) added", before: null, after: null },
      { title: "Node m, where", before: "a", after: "b" },
      { title: "Edge m → o removed", before: null, after: null },
      { title: "Setting schedule", before: null, after: '{"every":"1h"}' },
    ]);
  });

  it("draws what went and what came in one graph", () => {
    const merged = mergedDocument(
      {
        nodes: [
          { id: "a", type: "set" },
          { id: "old", type: "set" },
        ],
        edges: [{ from: "a", to: "old" }],
      },
      {
        nodes: [
          { id: "a", type: "set" },
          { id: "new", type: "set" },
        ],
        edges: [{ from: "a", to: "new" }],
      },
    );
    expect(merged.nodes?.map(({ id }) => id)).toEqual(["a", "new", "old"]);
    expect(merged.edges).toHaveLength(2);
  });
});

describe("timelineOf", () => {
  const entry = (node: string, step: string | null, from: number, to: number | null): Entry => ({
    node,
    index: "",
    step,
    state: to === null ? "running" : "success",
    started_at: new Date(from * 1000).toISOString(),
    ended_at: to === null ? null : new Date(to * 1000).toISOString(),
  });

  it("puts nodes of a step together, by the order of the document, and lets what runs grow until now", () => {
    const entries = [entry("b", "s", 0, 5), entry("a", "s", 0, 5), entry("c", null, 5, null)];
    const { seconds, steps } = timelineOf(entries, ["a", "b", "c"], new Date(10_000));
    expect(seconds).toBe(10);
    expect(steps.map(({ name, bars }) => [name, bars.map(({ entry: { node } }) => node)])).toEqual([
      ["s", ["a", "b"]],
      ["c", ["c"]],
    ]);
    expect(steps.at(-1)?.bars[0]).toMatchObject({ start: 0.5, end: 1 });
  });

  it("is empty before anything began", () => {
    expect(timelineOf([{ ...entry("a", null, 0, 1), started_at: null }], [], new Date(0))).toEqual({
      seconds: 0,
      steps: [],
    });
  });
});
