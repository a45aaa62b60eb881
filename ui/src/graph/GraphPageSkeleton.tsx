import { Box, Flex, Skeleton, Stack } from "@chakra-ui/react";

import { isTab } from "src/host/address";

import { CanvasSkeleton } from "./Canvas";

/** The shape of a page that has a graph, and beside it what is to be said of it. */
export function GraphPageSkeleton({ side }: { side: string }) {
  return (
    <Stack flex="1" gap="0" aria-busy>
      {!isTab() && (
        <Box p="4">
          <Skeleton h="24px" w="300px" />
        </Box>
      )}
      <Flex flex="1" borderTopWidth="1px">
        <Box flex="1" minW="0">
          <CanvasSkeleton />
        </Box>
        <Stack w={side} borderInlineStartWidth="1px" p="4" gap="3">
          {[90, 60, 75, 40].map((width) => (
            <Skeleton key={width} h="16px" w={`${width}%`} />
          ))}
        </Stack>
      </Flex>
    </Stack>
  );
}
