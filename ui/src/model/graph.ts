/** A pipeline as a graph: what its document says, without a place to draw it. */

export interface DocumentNode {
  id: string;
  type: string;
  name?: string;
  description?: string;
  config?: Record<string, unknown>;
  body?: { nodes?: DocumentNode[]; edges?: DocumentEdge[] };
}

export interface DocumentEdge {
  from: string;
  to: string;
}

export interface PipelineDocument {
  id?: string;
  name?: string;
  description?: string;
  owner?: string;
  tags?: string[];
  schedule?: Record<string, unknown>;
  params?: Record<string, Record<string, unknown>>;
  nodes?: DocumentNode[];
  edges?: DocumentEdge[];
  finally?: { nodes?: DocumentNode[]; edges?: DocumentEdge[] } | null;
}

/** What holds the nodes that run at the end of a run; no node of a document can have this id. */
export const FINALLY = "finally";

export interface GraphNode {
  id: string;
  node: DocumentNode;
  /** The node in whose body it stands. */
  parent: string | null;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  sourcePort: string | null;
  targetPort: string | null;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
}

/** Return the graph of a document; what stands in bodies is there as well, with the node that it belongs to. */
export function graphOf(document: PipelineDocument): Graph {
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  const add = (scope: { nodes?: DocumentNode[]; edges?: DocumentEdge[] }, parent: string | null) => {
    for (const node of scope.nodes ?? []) {
      nodes.push({ id: node.id, node, parent });
      if (node.body !== undefined) {
        add(node.body, node.id);
      }
    }
    for (const { from, to } of scope.edges ?? []) {
      const [source, sourcePort] = splitPort(from);
      const [target, targetPort] = splitPort(to);
      edges.push({ id: `${from} → ${to}`, source, target, sourcePort, targetPort });
    }
  };
  add(document, null);
  if ((document.finally?.nodes ?? []).length > 0) {
    add({ nodes: [{ id: FINALLY, type: FINALLY, name: "Finally", body: document.finally ?? {} }] }, null);
  }
  const ids = new Set(nodes.map(({ id }) => id));
  return { nodes, edges: edges.filter(({ source, target }) => ids.has(source) && ids.has(target)) };
}

/** Return a graph without what stands in the bodies of some nodes. */
export function foldedGraph(graph: Graph, folded: ReadonlySet<string>): Graph {
  const parents = new Map(graph.nodes.map(({ id, parent }) => [id, parent]));
  const isHidden = (id: string): boolean => {
    const parent = parents.get(id) ?? null;
    return parent !== null && (folded.has(parent) || isHidden(parent));
  };
  return {
    nodes: graph.nodes.filter(({ id }) => !isHidden(id)),
    edges: graph.edges.filter(({ source, target }) => !isHidden(source) && !isHidden(target)),
  };
}

/** Return how many nodes the body of each node has, those of bodies in it included; none for a node without a body. */
export function bodySizes({ nodes }: Graph): Record<string, number> {
  const parents = new Map(nodes.map(({ id, parent }) => [id, parent]));
  const sizes: Record<string, number> = {};
  for (const { parent } of nodes) {
    for (let around = parent; around !== null; around = parents.get(around) ?? null) {
      sizes[around] = (sizes[around] ?? 0) + 1;
    }
  }
  return sizes;
}

function splitPort(end: string): [string, string | null] {
  const dot = end.indexOf(".");
  return dot < 0 ? [end, null] : [end.slice(0, dot), end.slice(dot + 1)];
}

/** The fields of configs that tell most of what a node does, the best first. */
const TELLING = [
  "where",
  "sql",
  "expression",
  "path",
  "url",
  "table",
  "on",
  "by",
  "keys",
  "columns",
  "measures",
  "value",
];
const LONGEST = 80;

/** Return one line that says what a node does, such as `status = 'paid'`; null where its config is empty. */
export function summaryOf(node: DocumentNode): string | null {
  const config = node.config ?? {};
  const field =
    TELLING.find((name) => isTelling(config[name])) ?? Object.keys(config).find((name) => isTelling(config[name]));
  return field === undefined ? null : shortText(config[field]);
}

function isTelling(value: unknown): boolean {
  return value !== null && value !== undefined && value !== "" && typeof value !== "boolean";
}

function shortText(value: unknown): string {
  const text = textOf(value).replace(/\s+/g, " ").trim();
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(textOf).join(", ");
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, each]) => (typeof each === "object" ? name : `${name} = ${textOf(each)}`))
      .join(", ");
  }
  return String(value);
}

/** Return how many nodes the longest way through a graph has; a circle counts once. */
export function longestChain({ nodes, edges }: Graph): number {
  const following = new Map<string, string[]>();
  for (const { source, target } of edges) {
    following.set(source, [...(following.get(source) ?? []), target]);
  }
  const lengths = new Map<string, number>();
  const lengthFrom = (id: string): number => {
    const known = lengths.get(id);
    if (known !== undefined) {
      return known;
    }
    lengths.set(id, 0);
    const length = 1 + Math.max(0, ...(following.get(id) ?? []).map(lengthFrom));
    lengths.set(id, length);
    return length;
  };
  return Math.max(0, ...nodes.map(({ id }) => lengthFrom(id)));
}
