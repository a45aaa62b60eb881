import { Alert, Box, Button, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { $api } from "src/api/client";
import type { components } from "src/api/schema";

type BrokenFile = components["schemas"]["BrokenFile"];
type Problem = components["schemas"]["ShownProblem"];

const SHOWN = 50;
const LOOK_MS = 30_000;

/** Files of the drop folder that cannot be published, for those who make pipelines. */
export function BrokenFiles() {
  const { data: me } = $api.useQuery("get", "/api/v1/me");
  const files = $api.useQuery(
    "get",
    "/api/v1/problems",
    { params: { query: { limit: SHOWN } } },
    { enabled: me?.rights.includes("create") === true, refetchInterval: LOOK_MS },
  );
  const [open, setOpen] = useState(false);
  const broken = files.data?.items ?? [];
  if (broken.length === 0) {
    return null;
  }
  const more = files.data?.next_cursor === null ? "" : " or more";
  return (
    <Alert.Root status="warning" variant="surface" alignItems="start" maxH="50%" overflow="auto" flexShrink="0">
      <Alert.Indicator />
      <Alert.Content minW="0">
        <Alert.Title>
          {broken.length === 1 ? "1 file" : `${broken.length}${more} files`} of the drop folder cannot be published
        </Alert.Title>
        {open && (
          <Alert.Description asChild>
            <Stack as="ul" listStyleType="none" gap="3" mt="2">
              {broken.map((file) => (
                <File key={file.path} file={file} />
              ))}
            </Stack>
          </Alert.Description>
        )}
      </Alert.Content>
      <Button size="xs" variant="outline" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Hide" : "Show why"}
      </Button>
    </Alert.Root>
  );
}

function File({ file }: { file: BrokenFile }) {
  return (
    <Box as="li" overflowWrap="anywhere">
      <Text fontWeight="medium">{file.path}</Text>
      <Stack as="ul" listStyleType="none" gap="1">
        {file.problems.map((problem) => (
          <li key={JSON.stringify(problem)}>
            <Text>
              {placeText(problem)}
              {problem.message}
            </Text>
            {problem.hint !== null && <Text fontSize="xs">What to do: {problem.hint}</Text>}
          </li>
        ))}
      </Stack>
    </Box>
  );
}

function placeText({ line, column, pointer }: Problem): string {
  if (line !== null) {
    return column === null ? `Line ${line}: ` : `Line ${line}, column ${column}: `;
  }
  return pointer === "" ? "" : `${pointer}: `;
}
