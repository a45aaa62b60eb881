import { Box, Button, Field, Heading, Input, Stack, Text } from "@chakra-ui/react";
import { useMutation } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";

import { api } from "src/api/client";
import type { components } from "src/api/schema";
import { Confirm } from "src/kit/Confirm";
import { Failure } from "src/kit/Failure";
import { countText } from "src/kit/numbers";

type CleanedUp = components["schemas"]["CleanedUp"];

/** Remove the rows that old runs keep, now in place of at the next full hour. */
export function CleanUp() {
  const [days, setDays] = useState("");
  const cleanUp = useMutation({
    mutationFn: async () => {
      const { data } = await api.POST("/api/v1/operations/clean-up", {
        body: days === "" ? {} : { days: Number(days) },
      });
      return data;
    },
  });
  const age = days === "" ? "older than this installation keeps them" : `older than ${days} days`;
  return (
    <Box as="section">
      <Heading as="h2" size="md" mb="1">
        Clean-up
      </Heading>
      <Text color="fg.muted" mb="3">
        Each hour the worker removes rows between steps that are too old. Runs that have not ended keep theirs.
      </Text>
      <Stack direction="row" align="end">
        <Field.Root w="200px">
          <Field.Label>Older than, in days</Field.Label>
          <Input
            size="sm"
            type="number"
            min={1}
            max={36_500}
            placeholder="as configured"
            value={days}
            onChange={(event) => setDays(event.target.value)}
          />
        </Field.Root>
        <Confirm
          danger
          title="Clean up now?"
          verb="Remove"
          onConfirm={() => cleanUp.mutate()}
          trigger={
            <Button size="sm" variant="outline" loading={cleanUp.isPending}>
              <Trash2 size={14} /> Clean up
            </Button>
          }
        >
          Rows between steps {age} go for good: they can be seen no more, and those runs cannot be retried from the
          middle.
        </Confirm>
      </Stack>
      <Box mt="3" role="status">
        {cleanUp.data !== undefined && <Text>{removedText(cleanUp.data)}</Text>}
      </Box>
      {cleanUp.error !== null && <Failure error={cleanUp.error} />}
    </Box>
  );
}

function removedText({ days, runs, files, at_work: atWork, complete }: CleanedUp): string {
  const parts = [`Removed ${countText(files)} files of ${countText(runs)} runs older than ${days} days.`];
  if (atWork > 0) {
    parts.push(`${countText(atWork)} as old keep theirs, for they have not ended.`);
  }
  if (!complete) {
    parts.push("More is left: clean up again, and the worker goes on.");
  }
  return parts.join(" ");
}
