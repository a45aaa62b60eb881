import { BaseEdge, EdgeLabelRenderer, type Edge, type EdgeProps } from "@xyflow/react";
import { memo } from "react";

import type { Point } from "./layout";

export type WireEdge = Edge<{ points: Point[]; label: string }, "wire">;

const RADIUS = 6;

/** An edge along the way that the layout has found for it, around the nodes. */
function WireOf({ id, data, markerEnd, style }: EdgeProps<WireEdge>) {
  const points = data?.points ?? [];
  const place = labelPlace(points);
  return (
    <>
      <BaseEdge
        id={id}
        path={roundedPath(points)}
        {...(markerEnd === undefined ? {} : { markerEnd })}
        style={style ?? {}}
      />
      {data !== undefined && data.label !== "" && (
        <EdgeLabelRenderer>
          <div
            className="airloom-wire-label"
            style={{ transform: `translate(-50%, -50%) translate(${place.x}px, ${place.y}px)` }}
          >
            {data.label}
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

/** Return the path through points, with the corners rounded. */
export function roundedPath(points: Point[]): string {
  return points
    .map((point, at) => {
      const [before, after] = [points[at - 1], points[at + 1]];
      if (before === undefined) {
        return `M${point.x},${point.y}`;
      }
      if (after === undefined) {
        return `L${point.x},${point.y}`;
      }
      const [into, out] = [towards(point, before), towards(point, after)];
      return `L${into.x},${into.y}Q${point.x},${point.y} ${out.x},${out.y}`;
    })
    .join("");
}

function towards(from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const share = length === 0 ? 0 : Math.min(RADIUS, length / 2) / length;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

/** Return the middle of the longest straight part, where a label hides least. */
export function labelPlace(points: Point[]): Point {
  let [place, length] = [points[0] ?? { x: 0, y: 0 }, -1];
  points.forEach((point, at) => {
    const next = points[at + 1];
    if (next !== undefined && Math.hypot(next.x - point.x, next.y - point.y) > length) {
      length = Math.hypot(next.x - point.x, next.y - point.y);
      place = { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    }
  });
  return place;
}

export const Wire = memo(WireOf);
