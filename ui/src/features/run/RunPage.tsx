import { Box, Button, Flex } from "@chakra-ui/react";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import { useMemo } from "react";

import { $api, type RunDetail } from "src/api/client";
import { useNodeTypes } from "src/api/nodeTypes";
import { Canvas, CanvasSkeleton } from "src/graph/Canvas";
import { GraphPageSkeleton } from "src/graph/GraphPageSkeleton";
import { runMarks } from "src/graph/runMarks";
import { dagRunPath, isTab, openInAirflow, openInFull } from "src/host/navigate";
import { Boundary } from "src/kit/Boundary";
import { Failure } from "src/kit/Failure";
import { durationText } from "src/kit/numbers";
import { PageHead } from "src/kit/PageHead";
import { StateBadge } from "src/kit/StateBadge";
import { Time } from "src/kit/Time";
import { graphOf, type PipelineDocument } from "src/model/graph";
import { isActive } from "src/theme/states";

import { NodePane } from "./NodePane";
import { RunActions } from "./RunActions";
import { RunPane } from "./RunPane";
import { Timeline } from "./Timeline";

const LOOK_MS = 5_000;

/** A run: what happened, where, why? */
export default function RunPage() {
  const { pipeline = "", run = "" }: { pipeline?: string; run?: string } = useParams({ strict: false });
  const detail = $api.useQuery(
    "get",
    "/api/v1/pipelines/{pipeline}/runs/{run_id}",
    { params: { path: { pipeline, run_id: run } } },
    // Events say most of it; what they do not say, such as the outputs of nodes, is read anew while it runs.
    { refetchInterval: ({ state }) => (state.data !== undefined && isActive(state.data.state) ? LOOK_MS : false) },
  );
  if (detail.error !== null) {
    return (
      <Box p="4">
        <Failure error={detail.error} retry={() => void detail.refetch()} />
      </Box>
    );
  }
  return detail.data === undefined ? <GraphPageSkeleton side="460px" /> : <Shown run={detail.data} />;
}

function Shown({ run }: { run: RunDetail }) {
  const { pipeline, run_id: id } = run;
  const { data: version } = $api.useQuery(
    "get",
    "/api/v1/pipelines/{pipeline}/versions/{number}",
    { params: { path: { pipeline, number: run.version ?? 0 } } },
    { enabled: run.version !== null, staleTime: Infinity },
  );
  const document = version?.document as PipelineDocument | undefined;
  const { node } = useSearch({ strict: false });
  return (
    <Flex direction="column" flex="1" minH="0">
      {!isTab() && (
        <PageHead
          title={document?.name ?? pipeline}
          badges={<StateBadge state={run.state} size="md" />}
          about={
            <>
              <Time at={run.queued_at} />
              {run.seconds === null ? "" : ` · took ${durationText(run.seconds)}`} · version {run.version ?? "unknown"}{" "}
              · {id}
            </>
          }
        >
          <RunActions run={run} document={document} />
          <Button asChild variant="outline" size="sm">
            <Link to="/pipelines/$pipeline" params={{ pipeline }}>
              Pipeline
            </Link>
          </Button>
          <Button variant="outline" size="sm" onClick={() => openInAirflow(dagRunPath(pipeline, id))}>
            <ExternalLink size={14} /> Airflow
          </Button>
        </PageHead>
      )}
      <Flex flex="1" minH="0" borderTopWidth={isTab() ? undefined : "1px"}>
        <Flex direction="column" flex="1" minW="0">
          <Box flex="1" minH="0">
            {document === undefined ? <CanvasSkeleton /> : <Graph run={run} document={document} />}
          </Box>
          <Boundary>
            <Timeline run={run} document={document} />
          </Boundary>
        </Flex>
        <Box w={{ base: "360px", xl: "460px" }} flexShrink="0" borderInlineStartWidth="1px" overflow="auto">
          <Boundary key={node ?? ""}>
            {node === undefined ? (
              <RunPane run={run} document={document} />
            ) : (
              <NodePane run={run} node={node} document={document} />
            )}
          </Boundary>
          {isTab() && (
            <Button
              m="4"
              variant="outline"
              size="sm"
              onClick={() => openInFull(`/pipelines/${pipeline}/runs/${encodeURIComponent(id)}`)}
            >
              Open in Airloom
            </Button>
          )}
        </Box>
      </Flex>
    </Flex>
  );
}

function Graph({ run, document }: { run: RunDetail; document: PipelineDocument }) {
  const navigate = useNavigate();
  const { node } = useSearch({ strict: false });
  const types = useNodeTypes();
  const graph = useMemo(() => graphOf(document), [document]);
  const marks = useMemo(
    () => ({
      types,
      runs: runMarks(run.nodes),
      changes: {},
    }),
    [types, run.nodes],
  );
  return (
    <Boundary>
      <Canvas
        label={`The graph of the run ${run.run_id}`}
        graph={graph}
        marks={marks}
        selected={node}
        onSelect={(chosen) =>
          void navigate({ to: ".", replace: true, search: (before) => ({ ...before, node: chosen, index: undefined }) })
        }
      />
    </Boundary>
  );
}
