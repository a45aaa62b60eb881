import { Link as Anchor, Box, Button, Flex, Heading, NativeSelect, Stack, Tabs, Text } from "@chakra-ui/react";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { X } from "lucide-react";

import type { NodeReport, RunDetail } from "src/api/client";
import { useNodeTypes } from "src/api/nodeTypes";
import { Empty } from "src/kit/Empty";
import { Facts } from "src/kit/Facts";
import { Json } from "src/kit/Json";
import { bytesText, countText, durationText } from "src/kit/numbers";
import { StateBadge } from "src/kit/StateBadge";
import { Time } from "src/kit/Time";
import { FINALLY, graphOf, type DocumentNode, type PipelineDocument } from "src/model/graph";

import { Log } from "./Log";
import { NodeError } from "./NodeError";
import { PartActions } from "./PartActions";
import { Rows } from "./Rows";
import { RunLink } from "./RunLink";

interface Props {
  run: RunDetail;
  node: string;
  document: PipelineDocument | undefined;
}

/** One node of a run: error first, then rows and log. */
export function NodePane({ run, node, document }: Props) {
  const navigate = useNavigate();
  const { index, tab } = useSearch({ strict: false });
  const reports = run.nodes.filter((each) => each.node === node);
  const report = reports.find((each) => each.index === (index ?? "")) ?? reports[0];
  const declared = document === undefined ? undefined : graphOf(document).nodes.find(({ id }) => id === node)?.node;
  const change = (wanted: { node?: undefined; index?: string; tab?: "rows" | "log" | undefined }) =>
    void navigate({ to: ".", replace: true, search: (before) => ({ ...before, ...wanted }) });
  return (
    <Stack gap="3" p="4" h="100%">
      <Flex align="start" gap="2">
        <NodeHead id={node} node={declared} />
        {report !== undefined && <StateBadge state={report.state} />}
        <Button size="xs" variant="ghost" aria-label="Show the run" onClick={() => change({ node: undefined })}>
          <X size={14} />
        </Button>
      </Flex>
      {reports.length > 1 && report !== undefined && (
        <NativeSelect.Root size="sm">
          <NativeSelect.Field
            aria-label="Item"
            value={report.index}
            onChange={(event) => change({ index: event.target.value })}
          >
            {reports.map((each) => (
              <option key={each.index} value={each.index}>
                Item {each.index}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      )}
      {report === undefined ? (
        <Empty title={node === FINALLY ? "The end of a run" : "The run knows nothing of this node"}>
          {node === FINALLY
            ? "These nodes run when all others have ended, however they ended."
            : "It is not a node of the version that ran."}
        </Empty>
      ) : (
        <>
          <PartActions run={run} node={node} document={document} />
          {report.error !== null && <NodeError error={report.error} />}
          <Tabs.Root
            size="sm"
            lazyMount
            value={tab ?? "about"}
            onValueChange={({ value }) => change({ tab: value === "about" ? undefined : (value as "rows" | "log") })}
          >
            <Tabs.List>
              <Tabs.Trigger value="about">About</Tabs.Trigger>
              <Tabs.Trigger value="rows">Rows</Tabs.Trigger>
              <Tabs.Trigger value="log">Log</Tabs.Trigger>
            </Tabs.List>
            <Tabs.Content value="about">
              <About pipeline={run.pipeline} part={run.reuse?.parts[node]} report={report} node={declared} />
            </Tabs.Content>
            <Tabs.Content value="rows">
              <Rows run={run} report={report} />
            </Tabs.Content>
            <Tabs.Content value="log">
              <Log run={run} report={report} />
            </Tabs.Content>
          </Tabs.Root>
        </>
      )}
    </Stack>
  );
}

function NodeHead({ id, node }: { id: string; node: DocumentNode | undefined }) {
  const type = useNodeTypes()[node?.type ?? ""];
  return (
    <Box flex="1" minW="0">
      <Heading as="h2" size="md" overflowWrap="anywhere">
        {node?.name ?? id}
      </Heading>
      <Text fontSize="xs" color="fg.muted">
        {[type?.title ?? node?.type, id].filter(Boolean).join(" · ")}
      </Text>
    </Box>
  );
}

/** Return the run of another pipeline that a node has started, null where it has not. */
function calledRun(statistics: Record<string, unknown>): { pipeline: string; runId: string } | null {
  const run = statistics["run"] as Record<string, unknown> | undefined;
  const [pipeline, runId] = [run?.["pipeline"], run?.["run_id"]];
  return typeof pipeline === "string" && typeof runId === "string" ? { pipeline, runId } : null;
}

function CalledRun({ pipeline, runId }: { pipeline: string; runId: string }) {
  return (
    <Anchor asChild>
      <Link to="/pipelines/$pipeline/runs/$run" params={{ pipeline, run: runId }}>
        {pipeline}
      </Link>
    </Anchor>
  );
}

/** What is said of a node that was not asked for in a run of a part. */
const OUT_OF_PART: Record<string, string> = {
  again: "computed again, for what it gave was not kept",
  silent: "silent, for it writes or stands in finally",
  left_out: "left out",
};

interface AboutProps {
  pipeline: string;
  /** What becomes of the node in a run of a part. */
  part: string | undefined;
  report: NodeReport;
  node: DocumentNode | undefined;
}

function About({ pipeline, part, report, node }: AboutProps) {
  const called = calledRun(report.statistics);
  const reused = report.statistics["reused"];
  return (
    <Stack gap="4">
      <Facts
        facts={[
          ["Rows", report.rows === null ? null : countText(report.rows)],
          ["Kept", report.bytes === null ? null : bytesText(report.bytes)],
          ["Took", report.seconds === null ? null : durationText(report.seconds)],
          ["Attempt", report.attempt === 0 ? null : report.attempt],
          ["Started", report.started_at === null ? null : <Time key="started" at={report.started_at} />],
          ["Fired", report.fired.join(", ")],
          ["Ran", called === null ? null : <CalledRun key="called" {...called} />],
          ["In this part", part === undefined ? null : (OUT_OF_PART[part] ?? null)],
          ["Taken from", typeof reused === "string" ? <RunLink key="reused" pipeline={pipeline} run={reused} /> : null],
        ]}
      />
      {Object.keys(report.statistics).length > 0 && (
        <Box>
          <Heading as="h3" size="sm" mb="2">
            Statistics
          </Heading>
          <Json value={report.statistics} />
        </Box>
      )}
      {node !== undefined && (
        <Box>
          <Heading as="h3" size="sm" mb="2">
            Config
          </Heading>
          <Json value={node.config ?? {}} />
        </Box>
      )}
    </Stack>
  );
}
