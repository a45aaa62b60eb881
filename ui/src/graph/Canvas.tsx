import "@xyflow/react/dist/style.css";
import "./canvas.css";

import { Flex, Skeleton } from "@chakra-ui/react";
import { keepPreviousData, skipToken, useQuery } from "@tanstack/react-query";
import { Controls, MarkerType, MiniMap, ReactFlow } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState, type Ref } from "react";

import { useTheme } from "src/host/theme";
import { Failure } from "src/kit/Failure";
import type { Graph } from "src/model/graph";

import { Card, type CardNode } from "./Card";
import { FoldingOf, useFolding } from "./folding";
import { layOut, type Frame, type Layout } from "./layout";
import { Marks, type GraphMarks } from "./marks";
import { Wire, type WireEdge } from "./Wire";

interface Props {
  label: string;
  graph: Graph;
  marks: GraphMarks;
  selected?: string | undefined;
  onSelect?: (node: string | undefined) => void;
  /** Edges by their id that were added or removed. */
  edgeChanges?: Record<string, "added" | "removed"> | undefined;
}

const NODE_TYPES = { card: Card };
const EDGE_TYPES = { wire: Wire };
const LARGE = 60;
/** Wires that go on in a next line run beside the nodes. */
const FIT = { padding: { x: "80px", y: "40px" }, maxZoom: 1.1, minZoom: 0.3 } as const;
const EDGE_COLOURS = {
  added: "var(--chakra-colors-green-solid)",
  removed: "var(--chakra-colors-red-solid)",
};

/** Draw a pipeline, from left to right. */
export function Canvas({ label, graph: whole, marks, selected, onSelect, edgeChanges }: Props) {
  const theme = useTheme();
  const { shown: graph, folding } = useFolding(whole);
  const structure = useMemo(() => structureOf(graph), [graph]);
  const [frame, setFrame] = useState<Frame>();
  const measure = useCallback((element: HTMLElement | null) => {
    if (element !== null) {
      setFrame({ width: element.clientWidth, height: element.clientHeight });
    }
  }, []);
  // eslint-disable-next-line @tanstack/query/exhaustive-deps -- a graph of the same structure is laid out alike
  const layout = useQuery({
    queryKey: ["layout", structure, frame],
    queryFn: frame === undefined ? skipToken : () => layOut(graph, frame),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    retry: false,
  });
  useFocusOf(selected);
  const nodes = useMemo(
    () => (layout.data === undefined ? [] : nodesOf(graph, layout.data, selected)),
    [graph, layout.data, selected],
  );
  const edges = useMemo(() => edgesOf(graph, layout.data, edgeChanges ?? {}), [graph, layout.data, edgeChanges]);
  if (layout.error !== null) {
    return <Failure error={layout.error} retry={() => void layout.refetch()} />;
  }
  if (layout.data === undefined) {
    return <CanvasSkeleton ref={measure} />;
  }
  return (
    <Marks.Provider value={marks}>
      <FoldingOf.Provider value={folding}>
        <ReactFlow
          aria-label={label}
          colorMode={theme}
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          fitView
          fitViewOptions={FIT}
          minZoom={0.05}
          maxZoom={2}
          nodesDraggable={false}
          nodesConnectable={false}
          edgesFocusable={false}
          onlyRenderVisibleElements
          onNodeClick={(_, { id }) => onSelect?.(id)}
          onPaneClick={() => onSelect?.(undefined)}
          onNodesChange={(changes) => {
            // So does the keyboard choose a node, and leave it: Enter and Escape.
            const selections = changes.filter((change) => change.type === "select");
            if (selections.length > 0) {
              onSelect?.(selections.find((change) => change.selected)?.id);
            }
          }}
          proOptions={{ hideAttribution: true }}
        >
          <Controls showInteractive={false} />
          {graph.nodes.length > LARGE && graph.nodes.length <= 500 && (
            <MiniMap pannable zoomable ariaLabel="Overview" />
          )}
        </ReactFlow>
      </FoldingOf.Provider>
    </Marks.Provider>
  );
}

/** Give the focus back to the node that was chosen, once what told of it is closed. */
function useFocusOf(selected: string | undefined): void {
  const last = useRef(selected);
  useEffect(() => {
    const before = last.current;
    last.current = selected;
    if (before !== undefined && selected === undefined && document.activeElement === document.body) {
      document.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(before)}"]`)?.focus();
    }
  }, [selected]);
}

export function CanvasSkeleton({ ref }: { ref?: Ref<HTMLDivElement> }) {
  return (
    <Flex
      {...(ref === undefined ? {} : { ref })}
      align="center"
      justify="center"
      gap="16"
      h="100%"
      overflow="hidden"
      role="status"
      aria-busy
      aria-label="Drawing the graph"
    >
      {[0, 1, 2, 3].map((at) => (
        <Skeleton key={at} w="200px" h="68px" borderRadius="md" />
      ))}
    </Flex>
  );
}

const structureOf = ({ nodes, edges }: Graph): string =>
  JSON.stringify([nodes.map(({ id, parent }) => [id, parent]), edges.map(({ source, target }) => [source, target])]);

function nodesOf(graph: Graph, layout: Layout, selected: string | undefined): CardNode[] {
  return graph.nodes.flatMap(({ id, node, parent }) => {
    const box = layout.boxes[id];
    return box === undefined
      ? []
      : [
          {
            id,
            type: "card" as const,
            position: { x: box.x, y: box.y },
            width: box.width,
            height: box.height,
            data: { node },
            selected: id === selected,
            ariaLabel: `${node.name ?? id}, ${node.type}`,
            ...(parent === null ? {} : { parentId: parent, extent: "parent" as const }),
          },
        ];
  });
}

function edgesOf(graph: Graph, layout: Layout | undefined, changes: Record<string, "added" | "removed">): WireEdge[] {
  return graph.edges.map(({ id, source, target, sourcePort, targetPort }) => {
    const change = changes[id];
    const isError = sourcePort === "error";
    const stroke =
      change === undefined ? (isError ? "var(--chakra-colors-red-solid)" : undefined) : EDGE_COLOURS[change];
    return {
      id,
      source,
      target,
      type: "wire" as const,
      data: {
        points: layout?.ways[id] ?? [],
        label: [sourcePort, targetPort].filter((port) => port !== null).join(" → "),
      },
      markerEnd: { type: MarkerType.ArrowClosed },
      style: {
        ...(stroke === undefined ? {} : { stroke }),
        ...(isError || change === "removed" ? { strokeDasharray: "6 4" } : {}),
      },
    };
  });
}
