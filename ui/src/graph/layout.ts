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
/** A long chain goes on in a next line; ELK does not break lines between the insides of nodes. */
const WRAPPED = { "elk.layered.wrapping.strategy": "MULTI_EDGE", "elk.aspectRatio": "1.5" };
const LONG = 5;
const NODE = { "elk.portConstraints": "FIXED_SIDE" };
const BODY = { ...NODE, "elk.padding": "[top=76,left=20,bottom=20,right=20]" };

let elk: InstanceType<typeof ELK> | undefined;

/** Return the place of each node, from left to right; computed by a worker, so that the page stays quick. */
export async function layOut(graph: Graph): Promise<Layout> {
  elk ??= new ELK({ workerUrl, workerFactory: (url) => new Worker(url ?? workerUrl) });
  const root = await elk.layout(elkGraph(graph));
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

function elkGraph(graph: Graph): ElkNode {
  const isFlat = graph.nodes.every(({ parent }) => parent === null);
  const isLong = isFlat && longestChain(graph) > LONG;
  const byId = new Map<string, ElkNode>(graph.nodes.map(({ id }) => [id, elkNode(id)]));
  const layoutOptions = isLong ? { ...OPTIONS, ...WRAPPED } : OPTIONS;
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
