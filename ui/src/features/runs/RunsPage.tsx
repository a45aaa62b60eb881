import { Flex, Link as Anchor, NativeSelect, Text } from "@chakra-ui/react";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Activity } from "lucide-react";
import { useCallback } from "react";

import { api, type RunSummary } from "src/api/client";
import { usePages } from "src/api/pages";
import { DataTable, type Column } from "src/kit/DataTable";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { countText, durationText } from "src/kit/numbers";
import { PageHead } from "src/kit/PageHead";
import { SearchField } from "src/kit/SearchField";
import { StateBadge } from "src/kit/StateBadge";
import { Time } from "src/kit/Time";
import { stateWord } from "src/theme/states";

const route = getRouteApi("/runs");
const STATES = ["failed", "running", "queued", "success"];
const PAGE = 100;

const COLUMNS: Column<RunSummary>[] = [
  {
    name: "run",
    header: "Run",
    width: "minmax(220px, 3fr)",
    cell: ({ pipeline, run_id: run }) => (
      <>
        <Anchor asChild fontWeight="medium" display="block" truncate>
          <Link to="/pipelines/$pipeline/runs/$run" params={{ pipeline, run }}>
            {pipeline}
          </Link>
        </Anchor>
        <Text fontSize="xs" color="fg.muted" truncate title={run}>
          {run}
        </Text>
      </>
    ),
  },
  { name: "state", header: "State", width: "110px", cell: ({ state }) => <StateBadge state={state} /> },
  { name: "version", header: "Version", width: "64px", align: "end", cell: ({ version }) => version ?? "–" },
  { name: "begun", header: "Queued", width: "minmax(110px, 1fr)", cell: ({ queued_at: at }) => <Time at={at} /> },
  {
    name: "seconds",
    header: "Took",
    width: "90px",
    align: "end",
    cell: ({ seconds }) => (seconds === null ? "–" : durationText(seconds)),
  },
  {
    name: "rows",
    header: "Rows written",
    width: "100px",
    align: "end",
    cell: ({ rows }) => (rows === null ? "–" : countText(rows)),
  },
  {
    name: "actor",
    header: "Started by",
    width: "minmax(100px, 1fr)",
    cell: ({ trigger, actor }) => <Text truncate>{[trigger, actor].filter(Boolean).join(", ")}</Text>,
  },
];

/** The runs of all pipelines, the newest first. */
export default function RunsPage() {
  const { state, search } = route.useSearch();
  const navigate = useNavigate({ from: "/runs" });
  const query = {
    limit: PAGE,
    ...(state === undefined ? {} : { state }),
    ...(search === undefined ? {} : { search }),
  };
  const pages = usePages("/api/v1/runs", { params: { query } }, async (cursor) => {
    const { data } = await api.GET("/api/v1/runs", {
      params: { query: { ...query, ...(cursor === undefined ? {} : { cursor }) } },
    });
    return data ?? { items: [], next_cursor: null };
  });
  const change = useCallback(
    (wanted: { state?: string | undefined; search?: string | undefined }) =>
      void navigate({ replace: true, search: (before) => ({ ...before, ...wanted }) }),
    [navigate],
  );
  const onSearch = useCallback((text: string) => change({ search: text === "" ? undefined : text }), [change]);
  return (
    <Flex direction="column" flex="1" minH="0" pb="4">
      <PageHead title="Runs">
        <SearchField value={search ?? ""} label="Search by pipeline, run or person" onChange={onSearch} />
        <NativeSelect.Root size="sm" w="150px">
          <NativeSelect.Field
            aria-label="State"
            value={state ?? ""}
            onChange={(event) => change({ state: event.target.value === "" ? undefined : event.target.value })}
          >
            <option value="">All states</option>
            {STATES.map((each) => (
              <option key={each} value={each}>
                {stateWord(each)}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      </PageHead>
      <Flex direction="column" flex="1" minH="0" px="4">
        {pages.error !== null ? (
          <Failure error={pages.error} retry={() => void pages.refetch()} />
        ) : (
          <DataTable
            label="Runs"
            columns={COLUMNS}
            rows={pages.items}
            rowKey={({ pipeline, run_id: run }) => `${pipeline} ${run}`}
            loading={pages.isLoading}
            onEnd={pages.readNext}
            empty={
              <Empty
                icon={<Activity />}
                title={state === undefined && search === undefined ? "Nothing has run yet" : "No run is like that"}
              >
                Runs of the pipelines that you may read appear here as they begin.
              </Empty>
            }
          />
        )}
      </Flex>
    </Flex>
  );
}
