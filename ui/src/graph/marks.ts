import { createContext } from "react";

/** What is written on the cards of a graph beside what the document says of them, by the id of the node. */
export interface GraphMarks {
  types: Record<string, { category: string; effect: string; icon: string; title: string }>;
  runs: Record<string, { state: string; rows: number | null; seconds: number | null }>;
  changes: Record<string, "added" | "removed" | "changed">;
}

export const NO_MARKS: GraphMarks = { types: {}, runs: {}, changes: {} };

/** Read by each card on its own, so that a state that changes makes no new nodes. */
export const Marks = createContext<GraphMarks>(NO_MARKS);
