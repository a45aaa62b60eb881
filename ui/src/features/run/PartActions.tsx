import { Alert, Box, Button, Checkbox, Flex, Heading, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { $api, api, type NodePart, type RunDetail } from "src/api/client";
import { Confirm } from "src/kit/Confirm";
import { Failure } from "src/kit/Failure";
import { FormDialog } from "src/kit/FormDialog";
import { tellDone, tellFailed } from "src/kit/toaster";
import { graphOf, type PipelineDocument } from "src/model/graph";
import { isActive } from "src/theme/states";

type Choice = "from" | "until" | "only";

const VERBS: Record<Choice, string> = { from: "Run from here", until: "Run until here", only: "Only this node" };
const PARTS: [NodePart["part"], string][] = [
  ["run", "Run"],
  ["again", "Are computed again, for what they gave was not kept"],
  ["reused", "Are taken as this run left them"],
  ["skipped", "Are skipped, for nothing leads to them"],
  ["silent", "Stay silent, for they write or stand in finally"],
  ["left_out", "Are left out"],
];

interface Props {
  run: RunDetail;
  node: string;
  document: PipelineDocument | undefined;
}

/** Run a part of the pipeline anew that begins or ends at a node, with what this run has left. */
export function PartActions({ run, node, document }: Props) {
  const { pipeline } = run;
  const [choice, setChoice] = useState<Choice | null>(null);
  const detail = $api.useQuery("get", "/api/v1/pipelines/{pipeline}", { params: { path: { pipeline } } });
  const queries = useQueryClient();
  const retry = useMutation({
    mutationFn: () =>
      api.POST("/api/v1/pipelines/{pipeline}/runs/{run_id}/retry", {
        params: { path: { pipeline, run_id: run.run_id } },
        body: { from: node },
      }),
    onSuccess: () => tellDone("The run goes on from this node"),
    onError: (error) => tellFailed("The run does not go on", error),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get"] }),
  });
  const isOutside = document?.nodes?.some(({ id }) => id === node) === true;
  if (isActive(run.state) || !isOutside || detail.data?.may.includes("run") !== true) {
    return null;
  }
  return (
    <>
      <Flex gap="2" wrap="wrap" aria-label="Run a part of the pipeline" role="group">
        {(Object.keys(VERBS) as Choice[]).map((each) => (
          <Button key={each} size="xs" variant="outline" onClick={() => setChoice(each)}>
            {VERBS[each]}
          </Button>
        ))}
        <Confirm
          title="Go on from here, in this run?"
          verb="Retry from here"
          onConfirm={() => retry.mutate()}
          trigger={
            <Button size="xs" variant="outline" loading={retry.isPending}>
              Retry from here
            </Button>
          }
        >
          This node and all that follow it run again, by version {run.version} and with the params of this run. Nodes
          that write do so again.
        </Confirm>
      </Flex>
      {choice !== null && (
        <PartDialog run={run} node={node} choice={choice} document={document} onClose={() => setChoice(null)} />
      )}
    </>
  );
}

function PartDialog({ run, node, choice, document, onClose }: Props & { choice: Choice; onClose: () => void }) {
  const { pipeline, run_id: id } = run;
  const [writes, setWrites] = useState(false);
  const navigate = useNavigate();
  const names = new Map(
    document === undefined ? [] : graphOf(document).nodes.map((each) => [each.id, each.node.name ?? each.id]),
  );
  const params = { path: { pipeline } };
  const body = { params: {}, nodes: { [choice]: node }, reuse: id, writes };
  const preview = $api.useQuery(
    "post",
    "/api/v1/pipelines/{pipeline}/runs/preview",
    { params, body },
    { staleTime: 0, placeholderData: (before) => before },
  );
  const start = useMutation({
    mutationFn: () => api.POST("/api/v1/pipelines/{pipeline}/runs", { params, body }),
    onSuccess: ({ data }) => {
      onClose();
      if (data !== undefined) {
        void navigate({ to: "/pipelines/$pipeline/runs/$run", params: { pipeline, run: data.run_id } });
      }
    },
  });
  const { data } = preview;
  const isFaulty = data === undefined || preview.isPlaceholderData || data.problems.length > 0;
  const mayWrite = writes || data?.nodes.some(({ part }) => part === "silent") === true;
  return (
    <FormDialog
      title={`${VERBS[choice]}: ${names.get(node) ?? node}`}
      verb="Run"
      pending={start.isPending}
      disabled={isFaulty}
      onSubmit={() => start.mutate()}
      onClose={onClose}
    >
      <Stack gap="4">
        <Text>
          A new run of the current version, with the params of this one.
          {data !== undefined && data.version !== run.version && ` It is version ${data.version} by now.`}
        </Text>
        {preview.error !== null && <Failure error={preview.error} retry={() => void preview.refetch()} />}
        {start.error !== null && <Failure error={start.error} />}
        {data === undefined ? (
          preview.error === null && <Skeleton h="120px" />
        ) : (
          <>
            {data.problems.length > 0 && <InTheWay problems={data.problems} />}
            {PARTS.map(([part, words]) => (
              <PartOf key={part} words={words} nodes={data.nodes.filter((each) => each.part === part)} names={names} />
            ))}
          </>
        )}
        {mayWrite && (
          <Checkbox.Root size="sm" checked={writes} onCheckedChange={({ checked }) => setWrites(checked === true)}>
            <Checkbox.HiddenInput />
            <Checkbox.Control />
            <Checkbox.Label>Run the nodes that write, too: what they write cannot be taken back</Checkbox.Label>
          </Checkbox.Root>
        )}
      </Stack>
    </FormDialog>
  );
}

function InTheWay({ problems }: { problems: Record<string, unknown>[] }) {
  return (
    <Alert.Root status="error" variant="surface" role="alert">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>This run cannot begin</Alert.Title>
        <Alert.Description asChild>
          <Stack as="ul" listStyleType="none" gap="2">
            {problems.map(({ message, hint }) => (
              <Box as="li" key={String(message)} overflowWrap="anywhere">
                {String(message)}
                {typeof hint === "string" && <Text color="fg.muted">{hint}</Text>}
              </Box>
            ))}
          </Stack>
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}

function PartOf({ words, nodes, names }: { words: string; nodes: NodePart[]; names: Map<string, string> }) {
  return nodes.length === 0 ? null : (
    <Box>
      <Heading as="h3" size="xs" color="fg.muted">
        {words}
      </Heading>
      <Text overflowWrap="anywhere">{nodes.map(({ node }) => names.get(node) ?? node).join(", ")}</Text>
    </Box>
  );
}
