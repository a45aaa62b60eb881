import ELK, { type ElkExtendedEdge, type ElkNode } from "elkjs/lib/elk-api";
import workerUrl from "elkjs/lib/elk-worker.min.js?url";

import { longestChain, type Graph } from "src/model/graph";

export const NODE_WIDTH = 200;
export const NODE_HEIGHT = 68;

export interface Point {
  x: number;
  y: number;
}

interface Box extends Point {
  width: number;
  height: number;
}

export interface Layout {
  /** Where each node is drawn, relative to the node that it stands in. */
  boxes: Record<string, Box>;
  /** The way of each edge, by its id. */
  ways: Record<string, Point[]>;
}

const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.json.edgeCoords": "ROOT",
  "elk.layered.spacing.nodeNodeBetweenLayers": "60",
  "elk.layered.spacing.edgeNodeBetweenLayers": "24",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "14",
  "elk.spacing.nodeNode": "28",
  "elk.spacing.edgeNode": "20",
  "elk.spacing.edgeEdge": "18",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
};
/** The smallest scale at which a card can be read. */
const LEAST_SCALE = 0.6;
const COLUMN_WIDTH = NODE_WIDTH + 60;
const NODE = { "elk.portConstraints": "FIXED_SIDE" };
const BODY = { ...NODE, "elk.padding": "[top=76,left=20,bottom=20,right=20]" };

let elk: InstanceType<typeof ELK> | undefined;

/** The place that a graph is drawn in, in pixels. */
export interface Frame {
  width: number;
  height: number;
}

/** Return the place of each node, from left to right; computed by a worker, so that the page stays quick. */
export async function layOut(graph: Graph, frame: Frame): Promise<Layout> {
  elk ??= new ELK({ workerUrl, workerFactory: (url) => new Worker(url ?? workerUrl) });
  const root = await elk.layout(elkGraph(graph, frame));
  const layout: Layout = { boxes: {}, ways: {} };
  const read = ({ children }: ElkNode) => {
    for (const child of children ?? []) {
      const { x = 0, y = 0, width = NODE_WIDTH, height = NODE_HEIGHT } = child;
      layout.boxes[child.id] = { x, y, width, height };
      read(child);
    }
  };
  read(root);
  for (const { id, sections } of root.edges ?? []) {
    layout.ways[id] = (sections ?? []).flatMap(({ startPoint, bendPoints, endPoint }) => [
      startPoint,
      ...(bendPoints ?? []),
      endPoint,
    ]);
  }
  return layout;
}

/** A chain that is too long to be read goes on in a next line; ELK breaks none between the insides of nodes. */
function wrapping(graph: Graph, { width, height }: Frame): Record<string, string> {
  const isFlat = graph.nodes.every(({ parent }) => parent === null);
  const isLong = longestChain(graph) * COLUMN_WIDTH * LEAST_SCALE > width;
  return isFlat && isLong
    ? { "elk.layered.wrapping.strategy": "MULTI_EDGE", "elk.aspectRatio": (width / height).toFixed(2) }
    : {};
}

function elkGraph(graph: Graph, frame: Frame): ElkNode {
  const byId = new Map<string, ElkNode>(graph.nodes.map(({ id }) => [id, elkNode(id)]));
  const layoutOptions = { ...OPTIONS, ...wrapping(graph, frame) };
  const root: ElkNode = { id: "root", layoutOptions, children: [], edges: elkEdges(graph) };
  for (const { id, parent } of graph.nodes) {
    const node = byId.get(id);
    const around = parent === null ? root : byId.get(parent);
    if (node !== undefined && around !== undefined) {
      (around.children ??= []).push(node);
      if (around !== root) {
        around.layoutOptions = BODY;
      }
    }
  }
  return root;
}

const inPort = (id: string): string => `${id} in`;
const outPort = (id: string): string => `${id} out`;

function elkNode(id: string): ElkNode {
  const ports = [
    { id: inPort(id), layoutOptions: { "elk.port.side": "WEST" } },
    { id: outPort(id), layoutOptions: { "elk.port.side": "EAST" } },
  ];
  return { id, width: NODE_WIDTH, height: NODE_HEIGHT, layoutOptions: NODE, ports };
}

function elkEdges(graph: Graph): ElkExtendedEdge[] {
  return graph.edges.map(({ id, source, target }) => ({ id, sources: [outPort(source)], targets: [inPort(target)] }));
}
