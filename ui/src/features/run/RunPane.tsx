import { Box, Heading, Link as Anchor, Progress, Stack, Text } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";

import { $api, type RunDetail } from "src/api/client";
import { Facts } from "src/kit/Facts";
import { Json } from "src/kit/Json";
import { bytesText, countText, durationText } from "src/kit/numbers";
import type { PipelineDocument } from "src/model/graph";
import { graphOf } from "src/model/graph";
import { isActive } from "src/theme/states";

import { NodeError } from "./NodeError";
import { RunLink } from "./RunLink";

/** What is to be said of the whole run: errors first. */
export function RunPane({ run, document }: { run: RunDetail; document: PipelineDocument | undefined }) {
  const failed = run.nodes.filter(({ error, state }) => state === "failed" && error !== null);
  const names = new Map(
    document === undefined ? [] : graphOf(document).nodes.map(({ id, node }) => [id, node.name ?? id]),
  );
  const params = Object.keys(run.params ?? {});
  const reused = run.reuse?.run_id;
  return (
    <Stack gap="4" p="4">
      {failed.map(({ node, index, error }) => (
        <Box key={`${node} ${index}`}>
          <NodeError node={`${names.get(node) ?? node}${index === "" ? "" : ` [${index}]`}`} error={error ?? {}} />
          <Anchor asChild mt="1">
            <Link to="." search={(before) => ({ ...before, node, index: index === "" ? undefined : index })} replace>
              Show the node
            </Link>
          </Anchor>
        </Box>
      ))}
      {isActive(run.state) && (
        <Progress.Root value={run.progress * 100} size="sm" aria-label="Nodes that have ended">
          <Progress.Label mb="1">{Math.round(run.progress * 100)} % of the nodes have ended</Progress.Label>
          <Progress.Track>
            <Progress.Range />
          </Progress.Track>
        </Progress.Root>
      )}
      <Facts
        facts={[
          ["Started by", [run.trigger, run.actor].filter(Boolean).join(", ")],
          ["Version", run.version],
          ["Took", run.seconds === null ? null : durationText(run.seconds)],
          ["Rows written", run.rows === null ? null : countText(run.rows)],
          ["Part", run.reuse == null ? null : partText(run.reuse, names)],
          ["Reused run", reused == null ? null : <RunLink key="reused" pipeline={run.pipeline} run={reused} />],
          ["Correlation", run.correlation_id],
        ]}
      />
      {params.length > 0 && (
        <Box>
          <Heading as="h2" size="sm" mb="2">
            Params
          </Heading>
          <Json value={run.params} />
        </Box>
      )}
      <Artifacts run={run} />
    </Stack>
  );
}

/** Say which part of the pipeline a run does. */
function partText({ nodes, writes }: NonNullable<RunDetail["reuse"]>, names: Map<string, string>): string {
  const named = Object.entries(nodes).map(([word, node]) => `${word} ${names.get(node) ?? node}`);
  return `${named.join(", ")}${writes ? ", writes too" : ""}`;
}

function Artifacts({ run }: { run: RunDetail }) {
  const { data } = $api.useQuery(
    "get",
    "/api/v1/pipelines/{pipeline}/runs/{run_id}/artifacts",
    { params: { path: { pipeline: run.pipeline, run_id: run.run_id } } },
    { enabled: !isActive(run.state) },
  );
  return data === undefined || data.length === 0 ? null : (
    <Box>
      <Heading as="h2" size="sm" mb="2">
        Files and tables that it left
      </Heading>
      <Stack as="ul" listStyleType="none" gap="1">
        {data.map(({ node, index, port, name, bytes, rows, download }) => (
          <Text as="li" key={`${node} ${index} ${port} ${name}`} overflowWrap="anywhere">
            {download === null ? (
              name
            ) : (
              <Anchor href={download} download>
                {name}
              </Anchor>
            )}{" "}
            <Text as="span" color="fg.muted" fontSize="xs">
              {[
                `${node}.${port}`,
                rows === null ? null : `${countText(rows)} rows`,
                bytes === null ? null : bytesText(bytes),
              ]
                .filter(Boolean)
                .join(" · ")}
            </Text>
          </Text>
        ))}
      </Stack>
    </Box>
  );
}
