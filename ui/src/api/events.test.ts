import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";

import type { RunDetail } from "./client";
import { applyEvents, patchedRun, type FeedEvent } from "./events";

const node = (name: string, state: string) => ({ node: name, index: "", state, attempt: 1, rows: null, seconds: null });
const run = {
  pipeline: "p",
  run_id: "r",
  state: "running",
  progress: 0,
  nodes: [node("a", "running"), node("b", "waiting")],
};
const detail = run as unknown as RunDetail;
const event = (kind: string, payload: Record<string, unknown>): FeedEvent => ({
  topic: "runs",
  kind,
  pipeline: "p",
  run_id: "r",
  at: "2026-11-30T00:00:00Z",
  payload,
});

describe("patchedRun", () => {
  it("takes the state of a node from an event", () => {
    const patched = patchedRun(detail, event("node", { node: "a", index: "", state: "success", rows: 3 }));
    expect(patched.nodes.map(({ state, rows }) => [state, rows])).toEqual([
      ["success", 3],
      ["waiting", null],
    ]);
    expect(patched.progress).toBe(0.5);
  });

  it("takes the state of the run", () => {
    expect(patchedRun(detail, event("ended", { state: "failed" })).state).toBe("failed");
  });
});

describe("applyEvents", () => {
  const path = "/api/v1/pipelines/{pipeline}/runs/{run_id}";
  const key = (run_id: string) => ["get", path, { params: { path: { pipeline: "p", run_id } } }];

  it("patches the run that is shown, and no other", () => {
    const queries = new QueryClient();
    queries.setQueryData(key("r"), detail);
    queries.setQueryData(key("other"), { ...detail, run_id: "other" });
    applyEvents(queries, [event("node", { node: "a", index: "", state: "failed" })]);
    expect(queries.getQueryData<RunDetail>(key("r"))?.nodes[0]?.state).toBe("failed");
    expect(queries.getQueryData<RunDetail>(key("other"))?.nodes[0]?.state).toBe("running");
  });

  it("has lists read anew when a run begins or ends, not for each node", () => {
    const queries = new QueryClient();
    const list = ["get", "/api/v1/runs", { params: { query: {} } }];
    queries.setQueryData(list, { items: [] });
    applyEvents(queries, [event("node", { node: "a", index: "", state: "failed" })]);
    expect(queries.getQueryState(list)?.isInvalidated).toBe(false);
    applyEvents(queries, [event("ended", { state: "failed" })]);
    expect(queries.getQueryState(list)?.isInvalidated).toBe(true);
  });
});
