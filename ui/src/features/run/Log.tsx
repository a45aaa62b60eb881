import { Box, Button, NativeSelect, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { $api, api, type NodeReport, type RunDetail } from "src/api/client";
import type { components } from "src/api/schema";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { isActive } from "src/theme/states";

type LogPage = components["schemas"]["LogPage"];

const FOLLOW_MS = 2_000;
const COLOURS: Record<string, string> = { error: "red.fg", critical: "red.fg", warning: "orange.fg" };

/** The log of the step that a node ran in, followed while it runs. */
export function Log({ run, report }: { run: RunDetail; report: NodeReport }) {
  const path = { pipeline: run.pipeline, run_id: run.run_id, node: report.node };
  const item = report.index === "" ? {} : { index: report.index };
  const attempts = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/runs/{run_id}/nodes/{node}/attempts", {
    params: { path, query: item },
  });
  const [chosen, setChosen] = useState<number | undefined>();
  const [unfolded, setUnfolded] = useState(false);
  const attempt = chosen ?? attempts.data?.at(-1)?.number ?? 1;
  const log = useInfiniteQuery({
    queryKey: ["log", path, item, attempt],
    queryFn: async ({ pageParam }) => {
      const { data } = await api.GET("/api/v1/pipelines/{pipeline}/runs/{run_id}/nodes/{node}/logs", {
        params: { path, query: { attempt, ...item, ...(pageParam === undefined ? {} : { cursor: pageParam }) } },
      });
      return data as LogPage;
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled: attempts.data !== undefined && attempts.data.length > 0,
    refetchInterval: isActive(run.state) ? FOLLOW_MS : false,
  });
  const error = attempts.error ?? log.error;
  if (error !== null) {
    return <Failure error={error} retry={() => void log.refetch()} />;
  }
  if (attempts.data?.length === 0) {
    return <Empty title="There is no log yet">It begins when the node does.</Empty>;
  }
  const lines = log.data?.pages.flatMap((page) => page.lines) ?? [];
  const shown = unfolded ? lines : lines.filter(({ folded }) => !folded);
  return (
    <Stack gap="2">
      <Stack direction="row" align="center" justify="space-between">
        {(attempts.data?.length ?? 0) > 1 ? (
          <NativeSelect.Root size="xs" w="140px">
            <NativeSelect.Field
              aria-label="Attempt"
              value={attempt}
              onChange={(event) => setChosen(Number(event.target.value))}
            >
              {(attempts.data ?? []).map(({ number }) => (
                <option key={number} value={number}>
                  Attempt {number}
                </option>
              ))}
            </NativeSelect.Field>
            <NativeSelect.Indicator />
          </NativeSelect.Root>
        ) : (
          <Text fontSize="xs" color="fg.muted">
            Attempt {attempt}
          </Text>
        )}
        <Button size="xs" variant="ghost" onClick={() => setUnfolded(!unfolded)}>
          {unfolded ? "Hide Airflow’s own lines" : "Show all lines"}
        </Button>
      </Stack>
      {log.data === undefined ? (
        <Skeleton h="200px" />
      ) : (
        <Box
          role="log"
          aria-label="Log"
          tabIndex={0}
          fontFamily="mono"
          fontSize="12px"
          bg="bg.muted"
          borderRadius="md"
          p="3"
          maxH="60vh"
          overflow="auto"
        >
          {shown.map(({ at, level, text }, number) => (
            <Box key={number} color={COLOURS[level]} whiteSpace="pre-wrap" overflowWrap="anywhere">
              {at !== null && (
                <Text as="span" color="fg.muted">
                  {new Date(at).toLocaleTimeString()}{" "}
                </Text>
              )}
              {text}
            </Box>
          ))}
          {shown.length === 0 && <Text color="fg.muted">No line yet.</Text>}
          {log.hasNextPage && !isActive(run.state) && (
            <Button
              size="xs"
              variant="outline"
              mt="2"
              loading={log.isFetchingNextPage}
              onClick={() => void log.fetchNextPage()}
            >
              Read on
            </Button>
          )}
        </Box>
      )}
    </Stack>
  );
}
