import { Alert, Box, Code, Text } from "@chakra-ui/react";

export interface ErrorOfNode {
  message?: unknown;
  code?: unknown;
  hint?: unknown;
  trace?: unknown;
}

/** Show why a node failed, and what to do; the trace only when it is asked for. */
export function NodeError({ error, node }: { error: ErrorOfNode; node?: string }) {
  return (
    <Alert.Root status="error" variant="surface" alignItems="start">
      <Alert.Indicator />
      <Alert.Content minW="0">
        <Alert.Title overflowWrap="anywhere">{node === undefined ? "It failed" : `${node} failed`}</Alert.Title>
        <Alert.Description overflowWrap="anywhere">
          <Text whiteSpace="pre-wrap">
            {typeof error.message === "string" ? error.message : "Nobody knows why; the log may say more."}
          </Text>
          {typeof error.hint === "string" && error.hint !== "" && (
            <Text mt="2">
              <strong>What to do:</strong> {error.hint}
            </Text>
          )}
          {typeof error.code === "string" && (
            <Text mt="2" fontSize="xs">
              <Code size="xs">{error.code}</Code>
            </Text>
          )}
          {typeof error.trace === "string" && (
            <Box as="details" mt="2" fontSize="xs">
              <summary>Trace</summary>
              <Box as="pre" overflow="auto" tabIndex={0}>
                {error.trace}
              </Box>
            </Box>
          )}
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}
