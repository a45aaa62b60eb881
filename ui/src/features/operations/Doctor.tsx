import { Box, Button, Heading, Skeleton, Stack, Text } from "@chakra-ui/react";
import { CircleAlert, CircleCheck, CircleX, RefreshCw } from "lucide-react";
import { useState } from "react";

import { $api } from "src/api/client";
import type { components } from "src/api/schema";
import { Failure } from "src/kit/Failure";

type Finding = components["schemas"]["Finding"];

const MARKS = {
  wrong: { icon: <CircleX size={16} aria-label="Wrong" />, colour: "red.fg" },
  advice: { icon: <CircleAlert size={16} aria-label="Advice" />, colour: "orange.fg" },
  right: { icon: <CircleCheck size={16} aria-label="Right" />, colour: "green.fg" },
} as const;

/** What differs from what pipelines need, and what to do: as `airloom doctor` says it, by a worker. */
export function Doctor() {
  const examination = $api.useQuery("get", "/api/v1/operations/doctor", {}, { staleTime: Infinity, retry: false });
  const [all, setAll] = useState(false);
  const findings = examination.data?.findings ?? [];
  const asking = findings.filter(({ state }) => state !== "right");
  const right = findings.length - asking.length;
  const shown = all ? findings : asking.toSorted((first, second) => rank(first) - rank(second));
  return (
    <Box as="section">
      <Stack direction="row" align="center" mb="3">
        <Heading as="h2" size="md" flex="1">
          Doctor’s findings
        </Heading>
        {right > 0 && (
          <Button size="sm" variant="ghost" onClick={() => setAll(!all)}>
            {all ? "Show what asks for something" : `Show all ${findings.length}`}
          </Button>
        )}
        <Button size="sm" variant="outline" loading={examination.isFetching} onClick={() => void examination.refetch()}>
          <RefreshCw size={14} /> Examine again
        </Button>
      </Stack>
      {examination.error !== null ? (
        <Failure error={examination.error} retry={() => void examination.refetch()} />
      ) : examination.data === undefined ? (
        <Skeleton h="80px" />
      ) : (
        <Stack as="ul" listStyleType="none" gap="2">
          {shown.map((finding) => (
            <Line key={`${finding.area} ${finding.name} ${finding.message}`} finding={finding} />
          ))}
          {!all && (
            <Stack as="li" direction="row" color="fg.muted">
              <Box color={MARKS.right.colour} mt="0.5">
                {MARKS.right.icon}
              </Box>
              <Text>{asking.length === 0 ? `All ${right} things are right.` : `${right} others are right.`}</Text>
            </Stack>
          )}
        </Stack>
      )}
    </Box>
  );
}

const rank = ({ state }: Finding): number => (state === "wrong" ? 0 : 1);

function Line({ finding: { area, name, state, message, hint } }: { finding: Finding }) {
  return (
    <Stack as="li" direction="row" align="start">
      <Box color={MARKS[state].colour} mt="0.5">
        {MARKS[state].icon}
      </Box>
      <Box minW="0" overflowWrap="anywhere">
        <Text>
          <Text as="span" fontWeight="medium">
            {name}
          </Text>{" "}
          <Text as="span" color="fg.muted">
            ({area})
          </Text>
          : {message}
        </Text>
        {hint !== null && <Text color="fg.muted">What to do: {hint}</Text>}
      </Box>
    </Stack>
  );
}
