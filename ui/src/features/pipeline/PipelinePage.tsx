import { Badge, Box, Button, Flex, Tabs, Text } from "@chakra-ui/react";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ExternalLink, GitCompare } from "lucide-react";
import { useMemo } from "react";

import { $api, type PipelineDetail } from "src/api/client";
import { useNodeTypes } from "src/api/nodeTypes";
import { Canvas } from "src/graph/Canvas";
import { GraphPageSkeleton } from "src/graph/GraphPageSkeleton";
import { runMarks } from "src/graph/runMarks";
import { dagPath, isTab, openInAirflow, openInFull } from "src/host/navigate";
import { Boundary } from "src/kit/Boundary";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { PageHead } from "src/kit/PageHead";
import { graphOf, type PipelineDocument } from "src/model/graph";
import { scheduleText } from "src/model/schedule";

import { About } from "./About";
import { Actions } from "./Actions";
import { NodeSide } from "./NodeSide";
import { PipelineRuns } from "./PipelineRuns";
import { Sharing } from "./Sharing";
import { Usage } from "./Usage";

/** A pipeline: what does it do, and how did it go? */
export default function PipelinePage() {
  const { pipeline = "" }: { pipeline?: string } = useParams({ strict: false });
  const detail = $api.useQuery("get", "/api/v1/pipelines/{pipeline}", { params: { path: { pipeline } } });
  if (detail.error !== null) {
    return (
      <Box p="4">
        {isTab() && detail.error.status === 404 ? (
          <Empty title="This DAG is not a pipeline of Airloom">
            Its tasks are written in Python, so there is nothing to draw.
          </Empty>
        ) : (
          <Failure error={detail.error} retry={() => void detail.refetch()} />
        )}
      </Box>
    );
  }
  return detail.data === undefined ? <GraphPageSkeleton side="360px" /> : <Shown pipeline={detail.data} />;
}

function Shown({ pipeline }: { pipeline: PipelineDetail }) {
  const document = (pipeline.document ?? {}) as PipelineDocument;
  return (
    <Flex direction="column" flex="1" minH="0">
      {!isTab() && (
        <PageHead
          title={pipeline.name}
          badges={
            <>
              {pipeline.archived && <Badge>Archived</Badge>}
              {pipeline.paused === true && <Badge colorPalette="orange">Paused</Badge>}
              {pipeline.version === 0 && <Badge colorPalette="purple">Draft</Badge>}
            </>
          }
          about={`${pipeline.id} · ${scheduleText(document.schedule)}`}
        >
          <Actions pipeline={pipeline} document={document} />
          <Button asChild variant="outline" size="sm">
            <Link to="/pipelines/$pipeline/versions" params={{ pipeline: pipeline.id }}>
              <GitCompare size={14} /> Versions
            </Link>
          </Button>
          <Button variant="outline" size="sm" onClick={() => openInAirflow(dagPath(pipeline.id))}>
            <ExternalLink size={14} /> Airflow
          </Button>
        </PageHead>
      )}
      {pipeline.document === null ? (
        <Empty title="Nothing is published yet">
          {pipeline.draft_etag === null
            ? "There is no draft either."
            : "There is a draft: publish it, and Airflow runs it."}
        </Empty>
      ) : (
        <Flex flex="1" minH="0" borderTopWidth={isTab() ? undefined : "1px"}>
          <Graph pipeline={pipeline} document={document} />
          <Side pipeline={pipeline} document={document} />
        </Flex>
      )}
    </Flex>
  );
}

interface Part {
  pipeline: PipelineDetail;
  document: PipelineDocument;
}

function Graph({ pipeline, document }: Part) {
  const navigate = useNavigate();
  const { node } = useSearch({ strict: false });
  const types = useNodeTypes();
  const graph = useMemo(() => graphOf(document), [document]);
  const last = $api.useQuery("get", "/api/v1/runs", { params: { query: { pipeline: pipeline.id, limit: 1 } } });
  const run = last.data?.items[0];
  const detail = $api.useQuery(
    "get",
    "/api/v1/pipelines/{pipeline}/runs/{run_id}",
    { params: { path: { pipeline: pipeline.id, run_id: run?.run_id ?? "" } } },
    { enabled: run !== undefined },
  );
  const marks = useMemo(
    () => ({
      types,
      runs: runMarks(detail.data?.nodes ?? []),
      changes: {},
    }),
    [types, detail.data],
  );
  return (
    <Box flex="1" minW="0" position="relative">
      <Boundary>
        <Canvas
          label={`The graph of ${pipeline.name}`}
          graph={graph}
          marks={marks}
          selected={node}
          onSelect={(chosen) =>
            void navigate({ to: ".", replace: true, search: (before) => ({ ...before, node: chosen }) })
          }
        />
      </Boundary>
      {run !== undefined && (
        <Text position="absolute" top="2" left="3" fontSize="xs" color="fg.muted">
          States and rows of the last run
        </Text>
      )}
    </Box>
  );
}

function Side({ pipeline, document }: Part) {
  const navigate = useNavigate();
  const { node: chosen, view } = useSearch({ strict: false });
  const node = chosen === undefined ? undefined : graphOf(document).nodes.find(({ id }) => id === chosen)?.node;
  return (
    <Box w={{ base: "300px", xl: "360px" }} flexShrink="0" borderInlineStartWidth="1px" overflow="auto" p="4">
      {node !== undefined ? (
        <NodeSide pipeline={pipeline.id} node={node} />
      ) : (
        <Tabs.Root
          size="sm"
          lazyMount
          value={view ?? "about"}
          onValueChange={({ value }) =>
            void navigate({
              to: ".",
              replace: true,
              search: (before) => ({
                ...before,
                view: value === "about" ? undefined : (value as "runs" | "usage" | "sharing"),
              }),
            })
          }
        >
          <Tabs.List>
            <Tabs.Trigger value="about">About</Tabs.Trigger>
            <Tabs.Trigger value="runs">Runs</Tabs.Trigger>
            <Tabs.Trigger value="usage">Where used</Tabs.Trigger>
            {pipeline.may.includes("edit") && <Tabs.Trigger value="sharing">Sharing</Tabs.Trigger>}
          </Tabs.List>
          <Tabs.Content value="about">
            <About pipeline={pipeline} document={document} />
          </Tabs.Content>
          <Tabs.Content value="runs">
            <PipelineRuns pipeline={pipeline.id} />
          </Tabs.Content>
          <Tabs.Content value="usage">
            <Usage pipeline={pipeline.id} />
          </Tabs.Content>
          {pipeline.may.includes("edit") && (
            <Tabs.Content value="sharing">
              <Sharing pipeline={pipeline} />
            </Tabs.Content>
          )}
        </Tabs.Root>
      )}
      {isTab() && (
        <Button mt="4" variant="outline" size="sm" onClick={() => openInFull(`/pipelines/${pipeline.id}`)}>
          Open in Airloom
        </Button>
      )}
    </Box>
  );
}
