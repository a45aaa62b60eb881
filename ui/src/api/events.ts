import type { QueryClient } from "@tanstack/react-query";

import { api, type NodeReport, type RunDetail } from "src/api/client";
import { ApiError } from "src/api/error";

/** What has happened, as the stream of events says it. */
export interface FeedEvent {
  topic: "pipelines" | "runs";
  kind: string;
  pipeline: string;
  run_id: string | null;
  at: string;
  payload: Record<string, unknown>;
}

export type Connection = "connecting" | "live" | "lost";

const COLLECT_MS = 150;
const RETRY_MS = 3_000;
const PREFIX = "/api/v1";
const ENDED = ["success", "reused", "failed", "skipped", "not_run"];

/**
 * Keep the cache up to date by the stream of events, for as long as the page is in sight.
 *
 * One stream serves all of a page: a browser opens only six connections to a server over all of its tabs.
 */
export class Feed {
  private source: EventSource | null = null;
  private last: string | null = null;
  private waiting: FeedEvent[] = [];
  private flush: number | undefined;
  private retry: number | undefined;

  constructor(
    private readonly queries: QueryClient,
    private readonly onConnection: (connection: Connection) => void,
    private readonly onSignedOut: () => void,
  ) {}

  start(): void {
    document.addEventListener("visibilitychange", this.followSight);
    this.followSight();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.followSight);
    this.close();
  }

  private readonly followSight = (): void => {
    if (document.hidden) {
      this.close();
    } else if (this.source === null) {
      this.open();
    }
  };

  private open(): void {
    window.clearTimeout(this.retry);
    const base = new URL(document.baseURI).pathname.replace(/\/$/, "");
    const after = this.last === null ? "" : `?after=${this.last}`;
    const source = new EventSource(`${base}${PREFIX}/events${after}`);
    source.onopen = () => this.onConnection("live");
    source.onmessage = (message: MessageEvent<string>) => {
      this.last = message.lastEventId;
      this.waiting.push(JSON.parse(message.data) as FeedEvent);
      this.flush ??= window.setTimeout(() => this.apply(), COLLECT_MS);
    };
    source.addEventListener("reset", () => void this.queries.invalidateQueries());
    source.onerror = () => void this.mend(source);
    this.source = source;
  }

  private close(): void {
    window.clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  /** An EventSource hides why it failed: ask, so that a session that has ended leads to signing in. */
  private async mend(source: EventSource): Promise<void> {
    this.onConnection("lost");
    if (source.readyState !== EventSource.CLOSED) {
      return;
    }
    this.close();
    try {
      await api.GET("/api/v1/me");
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.onSignedOut();
        return;
      }
    }
    this.retry = window.setTimeout(() => this.open(), RETRY_MS);
  }

  private apply(): void {
    const events = this.waiting;
    this.waiting = [];
    this.flush = undefined;
    applyEvents(this.queries, events);
  }
}

/** Write what events say into what is cached, and have read anew what they do not say in full. */
export function applyEvents(queries: QueryClient, events: FeedEvent[]): void {
  for (const event of events.filter(({ topic }) => topic === "runs")) {
    patchRuns(queries, event);
  }
  const pipelines = new Set(events.filter(({ topic }) => topic === "pipelines").map(({ pipeline }) => pipeline));
  const runsChanged = events.some(({ topic, kind }) => topic === "runs" && kind !== "node");
  void queries.invalidateQueries({
    predicate: ({ queryKey }) => isStale(queryKey, pipelines, runsChanged, events),
  });
}

function isStale(key: readonly unknown[], pipelines: Set<string>, runsChanged: boolean, events: FeedEvent[]): boolean {
  const path = pathOf(key);
  if (path === null) {
    return false;
  }
  const { pipeline, run_id: run } = parametersOf(key);
  if (path === `${PREFIX}/pipelines`) {
    return pipelines.size > 0 || runsChanged;
  }
  if (path === `${PREFIX}/runs` || path === `${PREFIX}/figures`) {
    return runsChanged;
  }
  if (run !== undefined) {
    return events.some(
      (event) =>
        event.run_id === run && event.pipeline === pipeline && (event.kind !== "node" || path.endsWith("timeline")),
    );
  }
  return pipeline !== undefined && pipelines.has(pipeline);
}

function patchRuns(queries: QueryClient, event: FeedEvent): void {
  queries.setQueriesData<RunDetail>({ predicate: ({ queryKey }) => isDetailOf(queryKey, event) }, (run) =>
    run === undefined ? run : patchedRun(run, event),
  );
}

/** Return a run as an event of it leaves it. */
export function patchedRun(run: RunDetail, event: FeedEvent): RunDetail {
  if (event.kind !== "node") {
    const state = event.payload["state"];
    return typeof state === "string" ? { ...run, state } : run;
  }
  const told = event.payload as Partial<NodeReport>;
  const nodes = run.nodes.map((node) =>
    node.node === told.node && node.index === (told.index ?? "") ? { ...node, ...told } : node,
  );
  const ended = nodes.filter((node) => ENDED.includes(node.state)).length;
  return { ...run, nodes, progress: nodes.length === 0 ? run.progress : ended / nodes.length };
}

function isDetailOf(key: readonly unknown[], event: FeedEvent): boolean {
  const { pipeline, run_id: run } = parametersOf(key);
  return (
    pathOf(key) === `${PREFIX}/pipelines/{pipeline}/runs/{run_id}` &&
    pipeline === event.pipeline &&
    run === event.run_id
  );
}

function pathOf(key: readonly unknown[]): string | null {
  return key[0] === "get" && typeof key[1] === "string" ? key[1] : null;
}

function parametersOf(key: readonly unknown[]): { pipeline?: string; run_id?: string } {
  const options = key[2] as { params?: { path?: Record<string, string>; query?: Record<string, string> } } | undefined;
  return { ...options?.params?.query, ...options?.params?.path };
}
