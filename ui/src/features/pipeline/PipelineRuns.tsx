import { Box, Link as Anchor, Skeleton, Stack, Text } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";

import { $api } from "src/api/client";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { durationText } from "src/kit/numbers";
import { StateBadge } from "src/kit/StateBadge";
import { Time } from "src/kit/Time";

const SHOWN = 50;

/** The newest runs of a pipeline. */
export function PipelineRuns({ pipeline }: { pipeline: string }) {
  const runs = $api.useQuery("get", "/api/v1/runs", { params: { query: { pipeline, limit: SHOWN } } });
  if (runs.error !== null) {
    return <Failure error={runs.error} retry={() => void runs.refetch()} />;
  }
  if (runs.data === undefined) {
    return <Skeleton h="160px" />;
  }
  if (runs.data.items.length === 0) {
    return <Empty title="It has not run yet">Run it by hand, or wait for its schedule.</Empty>;
  }
  return (
    <Stack gap="0" as="ol" listStyleType="none">
      {runs.data.items.map(({ run_id: run, state, version, queued_at: at, seconds, trigger }) => (
        <Box as="li" key={run} borderBottomWidth="1px">
          <Anchor asChild display="block" py="2" _hover={{ bg: "bg.subtle" }}>
            <Link to="/pipelines/$pipeline/runs/$run" params={{ pipeline, run }}>
              <Stack as="span" direction="row" justify="space-between" align="center">
                <Time at={at} />
                <StateBadge state={state} size="xs" />
              </Stack>
              <Text as="span" fontSize="xs" color="fg.muted">
                {[
                  version === null ? null : `version ${version}`,
                  seconds === null ? null : durationText(seconds),
                  trigger === null ? null : `by ${trigger}`,
                ]
                  .filter((part) => part !== null)
                  .join(" · ")}
              </Text>
            </Link>
          </Anchor>
        </Box>
      ))}
    </Stack>
  );
}
