import { NativeSelect, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { $api, type NodeReport, type RunDetail } from "src/api/client";
import { Empty } from "src/kit/Empty";
import { Failure, type Described } from "src/kit/Failure";
import { Json } from "src/kit/Json";
import { countText } from "src/kit/numbers";
import { RowsGrid } from "src/kit/RowsGrid";

const SHOWN = 200;

/** What a node gave: rows of a table, or a value. */
export function Rows({ run, report }: { run: RunDetail; report: NodeReport }) {
  const ports = report.outputs.map(({ port }) => port);
  const [chosen, setChosen] = useState<string | undefined>();
  const port = chosen ?? report.fired.find((each) => ports.includes(each)) ?? ports[0];
  const output = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/runs/{run_id}/nodes/{node}/rows", {
    params: {
      path: { pipeline: run.pipeline, run_id: run.run_id, node: report.node },
      query: {
        limit: SHOWN,
        ...(port === undefined ? {} : { port }),
        ...(report.index === "" ? {} : { index: report.index }),
      },
    },
  });
  return (
    <Stack gap="3">
      {ports.length > 1 && (
        <NativeSelect.Root size="sm">
          <NativeSelect.Field aria-label="Port" value={port} onChange={(event) => setChosen(event.target.value)}>
            {ports.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      )}
      {output.error !== null ? (
        <NoRows error={output.error} retry={() => void output.refetch()} />
      ) : output.data === undefined ? (
        <Skeleton h="240px" />
      ) : (
        <Output output={output.data} />
      )}
    </Stack>
  );
}

function NoRows({ error, retry }: { error: Described; retry: () => void }) {
  return error.status === 410 || error.status === 404 ? (
    <Empty title="There are no rows to show">{error.message}</Empty>
  ) : (
    <Failure error={error} retry={retry} />
  );
}

interface OutputOfPort {
  columns: string[][] | null;
  rows: Record<string, unknown>[] | null;
  total: number | null;
  value?: unknown;
}

function Output({ output }: { output: OutputOfPort }) {
  const { columns, rows, total } = output;
  if (columns === null || rows === null) {
    return <Json value={output.value} maxHeight="60vh" />;
  }
  const counted =
    total === null ? `the first ${countText(rows.length)}` : `${countText(rows.length)} of ${countText(total)}`;
  return (
    <>
      <Text fontSize="xs" color="fg.muted">
        {total === rows.length ? `${countText(total)} rows` : `${counted} rows`}, {columns.length} columns
      </Text>
      <RowsGrid
        columns={columns.map(([name, type]) => ({ name: String(name), type: String(type) }))}
        rows={rows}
        spread
      />
    </>
  );
}
