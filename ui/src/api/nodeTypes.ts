import { useMemo } from "react";

import { $api, type NodeTypeSummary } from "src/api/client";

const HOUR_MS = 3_600_000;

/** Return the node types by name; empty until the catalog has come. */
export function useNodeTypes(): Record<string, NodeTypeSummary> {
  const { data } = $api.useQuery("get", "/api/v1/catalog", {}, { staleTime: HOUR_MS });
  return useMemo(() => Object.fromEntries((data?.types ?? []).map((each) => [each.type, each])), [data]);
}
