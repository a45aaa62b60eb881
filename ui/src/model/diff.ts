import type { DocumentEdge, DocumentNode, PipelineDocument } from "./graph";

/** What differs at one place of two documents, as the API has it. */
export interface Difference {
  what: string;
  change: string;
  name: string;
  field?: string;
  before?: unknown;
  after?: unknown;
}

type NodeChange = "added" | "removed" | "changed";

export function nodeChanges(changes: Difference[]): Record<string, NodeChange> {
  return Object.fromEntries(
    changes.filter(({ what }) => what === "node").map(({ name, change }) => [name, change as NodeChange]),
  );
}

export function edgeChanges(changes: Difference[]): Record<string, "added" | "removed"> {
  return Object.fromEntries(
    changes
      .filter(({ what, change }) => what === "edge" && change !== "changed")
      .map(({ name, change }) => [name, change as "added" | "removed"]),
  );
}

/** Return a document with the nodes and edges of both, so that one graph shows what went and what came. */
export function mergedDocument(before: PipelineDocument, after: PipelineDocument): PipelineDocument {
  return mergedScope(before, after);
}

interface Scope {
  nodes?: DocumentNode[];
  edges?: DocumentEdge[];
}

function mergedScope(before: Scope, after: Scope): Scope {
  const older = new Map((before.nodes ?? []).map((node) => [node.id, node]));
  const nodes = (after.nodes ?? []).map((node) => {
    const bodies = [older.get(node.id)?.body, node.body].filter((body) => body !== undefined);
    older.delete(node.id);
    return bodies.length === 0 ? node : { ...node, body: mergedScope(bodies[0] ?? {}, bodies.at(-1) ?? {}) };
  });
  const text = ({ from, to }: DocumentEdge) => `${from} → ${to}`;
  const edges = new Map([...(after.edges ?? []), ...(before.edges ?? [])].map((edge) => [text(edge), edge]));
  return { nodes: [...nodes, ...older.values()], edges: [...edges.values()] };
}

const WHAT: Record<string, string> = { node: "Node", edge: "Edge", setting: "Setting" };

/** Return a difference in words, with what was and what is where that is short enough to read. */
export function changeText(change: Difference): { title: string; before: string | null; after: string | null } {
  const what = WHAT[change.what] ?? change.what;
  if (change.what === "edge") {
    return { title: `${what} ${change.name} ${change.change}`, before: null, after: null };
  }
  if (change.what === "node" && change.change !== "changed") {
    const type = String(change.change === "added" ? change.after : change.before);
    return { title: `${what} ${change.name} (${type}) ${change.change}`, before: null, after: null };
  }
  const field = (change.field ?? "").split("/").filter((part) => part !== "" && part !== "config");
  const place = [change.name.replace(/^\//, ""), ...field].join(", ");
  return { title: `${what} ${place}`, before: valueText(change.before), after: valueText(change.after) };
}

function valueText(value: unknown): string | null {
  return value === null || value === undefined ? null : typeof value === "string" ? value : JSON.stringify(value);
}
