import { Box, Button, Heading, Link as Anchor, Stack, Text } from "@chakra-ui/react";
import { Link, useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";

import { $api } from "src/api/client";
import { useNodeTypes } from "src/api/nodeTypes";
import { Json } from "src/kit/Json";
import { Prose } from "src/kit/Prose";
import { StateBadge } from "src/kit/StateBadge";
import type { DocumentNode } from "src/model/graph";

/** A node of a pipeline: what it is set to, and how to see its rows. */
export function NodeSide({ pipeline, node }: { pipeline: string; node: DocumentNode }) {
  const navigate = useNavigate();
  const type = useNodeTypes()[node.type];
  const runs = $api.useQuery("get", "/api/v1/runs", { params: { query: { pipeline, limit: 5 } } });
  return (
    <Stack gap="4">
      <Box>
        <Button
          float="right"
          size="xs"
          variant="ghost"
          aria-label="Show the pipeline"
          onClick={() =>
            void navigate({ to: ".", replace: true, search: (before) => ({ ...before, node: undefined }) })
          }
        >
          <X size={14} />
        </Button>
        <Heading as="h2" size="md" overflowWrap="anywhere">
          {node.name ?? node.id}
        </Heading>
        <Text color="fg.muted" fontSize="xs">
          <Anchor asChild>
            <Link to="/catalog/$type" params={{ type: node.type }}>
              {type?.title ?? node.type}
            </Link>
          </Anchor>{" "}
          · {node.id}
        </Text>
      </Box>
      <Prose text={node.description ?? type?.summary ?? ""} />
      <Box>
        <Heading as="h3" size="sm" mb="2">
          Config
        </Heading>
        <Json value={node.config ?? {}} />
      </Box>
      <Box>
        <Heading as="h3" size="sm" mb="2">
          Rows of its last runs
        </Heading>
        <Stack gap="1">
          {(runs.data?.items ?? []).map(({ run_id: run, state, queued_at: at }) => (
            <Anchor asChild key={run} justifyContent="space-between" display="flex">
              <Link
                to="/pipelines/$pipeline/runs/$run"
                params={{ pipeline, run }}
                search={{ node: node.id, tab: "rows" }}
              >
                {new Date(at).toLocaleString()}
                <StateBadge state={state} size="xs" />
              </Link>
            </Anchor>
          ))}
          {runs.data?.items.length === 0 && <Text color="fg.muted">It has not run yet.</Text>}
        </Stack>
      </Box>
    </Stack>
  );
}
