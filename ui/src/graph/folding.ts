import { createContext, useCallback, useMemo, useState } from "react";

import { bodySizes, foldedGraph, type Graph } from "src/model/graph";

/** Which bodies are folded, how many nodes each hides, and how to fold or unfold one. */
export interface Folding {
  folded: ReadonlySet<string>;
  sizes: Record<string, number>;
  toggle: (node: string) => void;
}

/** Read by each card on its own. */
export const FoldingOf = createContext<Folding>({ folded: new Set(), sizes: {}, toggle: () => undefined });

/** Return a graph without what stands in bodies that somebody has folded. */
export function useFolding(graph: Graph): { shown: Graph; folding: Folding } {
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const toggle = useCallback(
    (node: string) =>
      setFolded((before) => {
        const next = new Set(before);
        if (!next.delete(node)) {
          next.add(node);
        }
        return next;
      }),
    [],
  );
  const shown = useMemo(() => foldedGraph(graph, folded), [graph, folded]);
  const folding = useMemo(() => ({ folded, sizes: bodySizes(graph), toggle }), [folded, graph, toggle]);
  return { shown, folding };
}
