import { Box, Button, Heading, Skeleton, Stack, Table, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";

import { $api, api } from "src/api/client";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { Facts } from "src/kit/Facts";
import { countText, durationText } from "src/kit/numbers";
import { PageHead } from "src/kit/PageHead";
import { Time } from "src/kit/Time";
import { tellDone, tellFailed } from "src/kit/toaster";

import { CleanUp } from "./CleanUp";
import { Doctor } from "./Doctor";

const LOOK_MS = 10_000;

/** How the service does: its parts, its background work, and its runs day by day. */
export default function OperationsPage() {
  return (
    <Box flex="1" minH="0" overflow="auto">
      <PageHead title="Operations" />
      <Stack px="4" pb="8" gap="8" maxW="1080px">
        <Parts />
        <Doctor />
        <Queues />
        <CleanUp />
        <Days />
      </Stack>
    </Box>
  );
}

function Parts() {
  const health = $api.useQuery("get", "/api/v1/health/ready", {}, { refetchInterval: LOOK_MS, retry: false });
  const answer = health.data ?? health.error ?? undefined;
  return (
    <Box as="section">
      <Heading as="h2" size="md" mb="3">
        Health
      </Heading>
      {answer === undefined ? (
        <Skeleton h="60px" />
      ) : "parts" in answer ? (
        <Facts facts={[["Version", answer.version], ...Object.entries(answer.parts)]} />
      ) : (
        <Failure error={answer} retry={() => void health.refetch()} />
      )}
    </Box>
  );
}

function Queues() {
  const queries = useQueryClient();
  const queues = $api.useQuery("get", "/api/v1/operations/queues", {}, { refetchInterval: LOOK_MS });
  const retry = useMutation({
    mutationFn: (identifier: number) =>
      api.POST("/api/v1/operations/events/{identifier}/retry", { params: { path: { identifier } } }),
    onSuccess: () => tellDone("It is tried again"),
    onError: (error) => tellFailed("It was not tried again", error),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", "/api/v1/operations/queues"] }),
  });
  if (queues.error !== null) {
    return <Failure error={queues.error} retry={() => void queues.refetch()} />;
  }
  if (queues.data === undefined) {
    return <Skeleton h="120px" />;
  }
  const { queues: kinds, dead } = queues.data;
  return (
    <Box as="section">
      <Heading as="h2" size="md" mb="3">
        Background work
      </Heading>
      {kinds.length === 0 && <Text color="fg.muted">Nothing waits: the worker has done all there was.</Text>}
      {kinds.length > 0 && (
        <Table.Root size="sm">
          <Table.Header>
            <Table.Row>
              <Table.ColumnHeader>Kind</Table.ColumnHeader>
              <Table.ColumnHeader textAlign="end">Waiting</Table.ColumnHeader>
              <Table.ColumnHeader textAlign="end">At work</Table.ColumnHeader>
              <Table.ColumnHeader>Oldest</Table.ColumnHeader>
            </Table.Row>
          </Table.Header>
          <Table.Body>
            {kinds.map(({ kind, waiting, running, oldest_at: at }) => (
              <Table.Row key={kind}>
                <Table.Cell>{kind}</Table.Cell>
                <Table.Cell textAlign="end">{countText(waiting)}</Table.Cell>
                <Table.Cell textAlign="end">{countText(running)}</Table.Cell>
                <Table.Cell>
                  <Time at={at} />
                </Table.Cell>
              </Table.Row>
            ))}
          </Table.Body>
        </Table.Root>
      )}
      {dead.length > 0 && (
        <Stack mt="4" gap="2">
          <Heading as="h3" size="sm">
            Given up
          </Heading>
          {dead.map(({ id, kind, created_at: at, attempts, last_error: error }) => (
            <Stack key={id} direction="row" align="center" borderWidth="1px" borderRadius="md" p="3">
              <Box flex="1" minW="0">
                <Text>
                  {kind}, tried {attempts} times since <Time at={at} />
                </Text>
                <Text fontSize="xs" color="fg.muted" overflowWrap="anywhere">
                  {error}
                </Text>
              </Box>
              <Button size="xs" variant="outline" loading={retry.isPending} onClick={() => retry.mutate(id)}>
                Try again
              </Button>
            </Stack>
          ))}
        </Stack>
      )}
    </Box>
  );
}

function Days() {
  const figures = $api.useQuery("get", "/api/v1/figures");
  if (figures.error !== null) {
    return <Failure error={figures.error} retry={() => void figures.refetch()} />;
  }
  if (figures.data === undefined) {
    return <Skeleton h="160px" />;
  }
  return (
    <Box as="section">
      <Heading as="h2" size="md" mb="3">
        Runs by day
      </Heading>
      {figures.data.days.length === 0 ? (
        <Empty title="Nothing has run yet">Each day with runs has a line here.</Empty>
      ) : (
        <Table.Root size="sm">
          <Table.Header>
            <Table.Row>
              <Table.ColumnHeader>Day (UTC)</Table.ColumnHeader>
              {["Runs", "Succeeded", "Failed", "Median", "Rows written"].map((head) => (
                <Table.ColumnHeader key={head} textAlign="end">
                  {head}
                </Table.ColumnHeader>
              ))}
            </Table.Row>
          </Table.Header>
          <Table.Body>
            {figures.data.days.toReversed().map(({ day, runs, succeeded, failed, median_seconds: median, rows }) => (
              <Table.Row key={day}>
                <Table.Cell>{day}</Table.Cell>
                <Table.Cell textAlign="end">{countText(runs)}</Table.Cell>
                <Table.Cell textAlign="end">{countText(succeeded)}</Table.Cell>
                <Table.Cell textAlign="end" color={failed > 0 ? "red.fg" : undefined}>
                  {countText(failed)}
                </Table.Cell>
                <Table.Cell textAlign="end">{median === null ? "–" : durationText(median)}</Table.Cell>
                <Table.Cell textAlign="end">{rows === null ? "–" : countText(rows)}</Table.Cell>
              </Table.Row>
            ))}
          </Table.Body>
        </Table.Root>
      )}
    </Box>
  );
}
