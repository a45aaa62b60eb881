import { Box } from "@chakra-ui/react";

/** Show a value as JSON that can be read and copied. */
export function Json({ value, maxHeight = "320px" }: { value: unknown; maxHeight?: string }) {
  return (
    <Box
      as="pre"
      fontFamily="mono"
      fontSize="12px"
      bg="bg.muted"
      borderRadius="md"
      p="3"
      overflow="auto"
      maxH={maxHeight}
      whiteSpace="pre-wrap"
      overflowWrap="anywhere"
      tabIndex={0}
    >
      {JSON.stringify(value, null, 2)}
    </Box>
  );
}
