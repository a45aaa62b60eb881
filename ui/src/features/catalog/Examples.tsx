import { Box, Grid, Heading, Stack, Text } from "@chakra-ui/react";

import { Json } from "src/kit/Json";
import { RowsGrid } from "src/kit/RowsGrid";

type Values = Record<string, unknown>;

/** What a node does with what it is given, by examples that are run as tests. */
export function Examples({ examples }: { examples: Values[] }) {
  return examples.length === 0 ? null : (
    <Box as="section">
      <Heading as="h2" size="md" mb="2">
        Examples
      </Heading>
      <Stack gap="6">
        {examples.map(({ title, config, inputs, outputs, body, ...more }) => (
          <Box key={JSON.stringify([title, config])} borderWidth="1px" borderRadius="md" p="4">
            {typeof title === "string" && (
              <Heading as="h3" size="sm" mb="3">
                {title}
              </Heading>
            )}
            <Grid templateColumns={{ base: "1fr", lg: "1fr 1fr" }} gap="4">
              <Ports name="In" values={inputs} />
              <Ports name="Out" values={outputs} />
            </Grid>
            <Part title="Config">
              <Json value={config ?? {}} />
            </Part>
            {body !== undefined && body !== null && (
              <Part title="Body">
                <Json value={body} />
              </Part>
            )}
            {Object.keys(more).length > 0 && <Json value={more} />}
          </Box>
        ))}
      </Stack>
    </Box>
  );
}

function Ports({ name, values }: { name: string; values: unknown }) {
  return (
    <Box minW="0">
      {Object.entries((values ?? {}) as Values).map(([port, value]) => (
        <Part key={port} title={`${name}: ${port}`}>
          {isTable(value) ? (
            <RowsGrid columns={columnsOf(value)} rows={value} height="240px" />
          ) : (
            <Json value={value} />
          )}
        </Part>
      ))}
    </Box>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <Box mt="3">
      <Text fontSize="xs" color="fg.muted" mb="1">
        {title}
      </Text>
      {children}
    </Box>
  );
}

function isTable(value: unknown): value is Values[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row) => typeof row === "object" && row !== null && !Array.isArray(row))
  );
}

function columnsOf(rows: Values[]): { name: string; type: string }[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))].map((name) => {
    const value = rows.map((row) => row[name]).find((each) => each !== null && each !== undefined);
    return { name, type: typeof value === "number" ? "NUMERIC" : "TEXT" };
  });
}
