import { Box, Button, Flex, Skeleton, Text } from "@chakra-ui/react";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ChevronDown, ChevronUp } from "lucide-react";
import { useEffect, useMemo, useState } from "react";

import { $api, type RunDetail } from "src/api/client";
import { durationText } from "src/kit/numbers";
import { graphOf, type PipelineDocument } from "src/model/graph";
import { timelineOf, type Bar, type Step } from "src/model/timeline";
import { isActive, stateColour, stateWord } from "src/theme/states";

const TICK_MS = 1_000;

/** When each node was at work; nodes of one step stand together, since they share a task. */
export function Timeline({ run, document }: { run: RunDetail; document: PipelineDocument | undefined }) {
  const nodes = useMemo(() => (document === undefined ? [] : graphOf(document).nodes), [document]);
  const names = new Map(nodes.map(({ id, node }) => [id, node.name ?? id]));
  const [open, setOpen] = useState(true);
  const { data } = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/runs/{run_id}/timeline", {
    params: { path: { pipeline: run.pipeline, run_id: run.run_id } },
  });
  const now = useNow(isActive(run.state));
  const timeline =
    data === undefined
      ? undefined
      : timelineOf(
          data,
          nodes.map(({ id }) => id),
          now,
        );
  return (
    <Box
      as="section"
      aria-label="Timeline"
      borderTopWidth="1px"
      flexShrink="0"
      maxH="40%"
      display="flex"
      flexDirection="column"
    >
      <Flex align="center" px="3" h="36px" bg="bg.subtle" flexShrink="0">
        <Text fontWeight="semibold" fontSize="xs" flex="1">
          Timeline{timeline === undefined || timeline.steps.length === 0 ? "" : ` · ${durationText(timeline.seconds)}`}
        </Text>
        <Button size="2xs" variant="ghost" aria-expanded={open} aria-label="Timeline" onClick={() => setOpen(!open)}>
          {open ? <ChevronDown size={14} /> : <ChevronUp size={14} />}
        </Button>
      </Flex>
      {open && (
        <Box overflow="auto" px="3" py="2" minH="80px" tabIndex={0}>
          {timeline === undefined ? (
            <Skeleton h="60px" />
          ) : timeline.steps.length === 0 ? (
            <Text color="fg.muted">No node has begun yet.</Text>
          ) : (
            timeline.steps.map((step) => <StepBars key={step.name} step={step} names={names} />)
          )}
        </Box>
      )}
    </Box>
  );
}

function StepBars({ step, names }: { step: Step; names: Map<string, string> }) {
  const several = step.bars.length > 1;
  return (
    <Flex align="stretch" gap="2" py="1">
      <Box
        w="6px"
        flexShrink="0"
        title={several ? `These nodes ran in one step, ${step.name}` : undefined}
        borderStyle="solid"
        borderColor={several ? "border.emphasized" : "transparent"}
        borderWidth="1px 0 1px 1px"
        borderRadius="2px"
      />
      <Box flex="1" minW="0">
        {step.bars.map((bar) => (
          <NodeBar key={bar.key} bar={bar} title={names.get(bar.entry.node) ?? bar.entry.node} />
        ))}
      </Box>
    </Flex>
  );
}

function NodeBar({ bar: { entry, start, end }, title }: { bar: Bar; title: string }) {
  const navigate = useNavigate();
  const { node, index } = useSearch({ strict: false });
  const isChosen = node === entry.node && (index ?? "") === entry.index;
  const name = entry.index === "" ? title : `${title} [${entry.index}]`;
  return (
    <Flex
      as="button"
      w="100%"
      align="center"
      gap="2"
      h="20px"
      cursor="pointer"
      borderRadius="sm"
      bg={isChosen ? "bg.emphasized" : undefined}
      _hover={{ bg: "bg.muted" }}
      onClick={() =>
        void navigate({
          to: ".",
          replace: true,
          search: (before) => ({ ...before, node: entry.node, index: entry.index === "" ? undefined : entry.index }),
        })
      }
      aria-label={`${name}: ${stateWord(entry.state)}`}
    >
      <Text w="160px" flexShrink="0" textAlign="start" fontSize="xs" truncate title={name}>
        {name}
      </Text>
      <Box position="relative" flex="1" h="10px" bg="bg.muted" borderRadius="2px">
        <Box
          position="absolute"
          insetY="0"
          borderRadius="2px"
          bg={`${stateColour(entry.state)}.solid`}
          style={{ left: `${start * 100}%`, width: `max(3px, ${(end - start) * 100}%)` }}
        />
      </Box>
    </Flex>
  );
}

function useNow(ticking: boolean): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    if (!ticking) {
      return undefined;
    }
    const timer = window.setInterval(() => setNow(new Date()), TICK_MS);
    return () => window.clearInterval(timer);
  }, [ticking]);
  return now;
}
