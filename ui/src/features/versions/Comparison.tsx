import { Box, Flex, Heading, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useMemo } from "react";

import { $api } from "src/api/client";
import { useNodeTypes } from "src/api/nodeTypes";
import { Canvas, CanvasSkeleton } from "src/graph/Canvas";
import { Boundary } from "src/kit/Boundary";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { changeText, edgeChanges, mergedDocument, nodeChanges } from "src/model/diff";
import { graphOf, type PipelineDocument } from "src/model/graph";

const MARKS = { added: "+", removed: "−", changed: "~" } as const;
const COLOURS = { added: "green.fg", removed: "red.fg", changed: "orange.fg" } as const;

/** How two versions differ: on the graph, and beside it in words. */
export function Comparison({ pipeline, before, after }: { pipeline: string; before: number; after: number }) {
  const path = { pipeline };
  const difference = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/diff", {
    params: { path, query: { from: String(before), to: String(after) } },
  });
  const older = useDocument(pipeline, before);
  const newer = useDocument(pipeline, after);
  const types = useNodeTypes();
  const changes = difference.data?.changes;
  const drawn = useMemo(() => {
    if (changes === undefined || older === undefined || newer === undefined) {
      return null;
    }
    return {
      graph: graphOf(mergedDocument(older, newer)),
      marks: { types, runs: {}, changes: nodeChanges(changes) },
      edges: edgeChanges(changes),
    };
  }, [changes, older, newer, types]);
  if (difference.error !== null) {
    return (
      <Box p="4">
        <Failure error={difference.error} retry={() => void difference.refetch()} />
      </Box>
    );
  }
  return (
    <Flex flex="1" minH="0" direction={{ base: "column", xl: "row" }}>
      <Box flex="1" minH="240px" minW="0">
        {drawn === null ? (
          <CanvasSkeleton />
        ) : (
          <Boundary>
            <Canvas
              label={`What changed from version ${before} to ${after}`}
              graph={drawn.graph}
              marks={drawn.marks}
              edgeChanges={drawn.edges}
            />
          </Boundary>
        )}
      </Box>
      <Stack
        w={{ base: "100%", xl: "340px" }}
        maxH={{ base: "45%", xl: "100%" }}
        overflow="auto"
        p="4"
        gap="2"
        borderInlineStartWidth={{ base: "0", xl: "1px" }}
        borderTopWidth={{ base: "1px", xl: "0" }}
      >
        <Heading as="h2" size="sm">
          From version {before} to {after}
        </Heading>
        {changes === undefined && <Skeleton h="120px" />}
        {changes?.length === 0 && <Empty title="They do the same">Only where nodes are drawn may differ.</Empty>}
        <Stack as="ul" listStyleType="none" gap="3">
          {(changes ?? []).map((change) => {
            const kind = change.change as keyof typeof MARKS;
            return (
              <Flex as="li" gap="2" key={`${change.what} ${change.name} ${change.field} ${change.change}`}>
                <Text fontFamily="mono" fontWeight="bold" color={COLOURS[kind]} aria-hidden>
                  {MARKS[kind]}
                </Text>
                <ChangeText {...changeText(change)} />
              </Flex>
            );
          })}
        </Stack>
      </Stack>
    </Flex>
  );
}

function ChangeText({ title, before, after }: { title: string; before: string | null; after: string | null }) {
  return (
    <Box minW="0" overflowWrap="anywhere">
      <Text>{title}</Text>
      {before !== null && (
        <Text as="del" display="block" fontFamily="mono" fontSize="12px" color="red.fg">
          {before}
        </Text>
      )}
      {after !== null && (
        <Text as="ins" display="block" fontFamily="mono" fontSize="12px" color="green.fg" textDecoration="none">
          {after}
        </Text>
      )}
    </Box>
  );
}

function useDocument(pipeline: string, number: number): PipelineDocument | undefined {
  const { data } = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/versions/{number}", {
    params: { path: { pipeline, number } },
  });
  return data?.document;
}
