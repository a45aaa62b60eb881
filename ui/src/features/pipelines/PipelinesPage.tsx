import { Badge, Box, Checkbox, Code, Flex, Link as Anchor, SegmentGroup, Tag, Text } from "@chakra-ui/react";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Workflow } from "lucide-react";
import { useCallback, useMemo, useState } from "react";

import { api } from "src/api/client";
import { usePages } from "src/api/pages";
import type { components } from "src/api/schema";
import { DataTable, type Column } from "src/kit/DataTable";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { PageHead } from "src/kit/PageHead";
import { RunBars } from "src/kit/RunBars";
import { SearchField } from "src/kit/SearchField";
import { Time } from "src/kit/Time";

import { BrokenFiles } from "./BrokenFiles";
import { Selection } from "./Selection";

type Listed = components["schemas"]["ListedPipeline"];

const route = getRouteApi("/pipelines");

const PAGE = 50;
const RUNS = 14;
const SHOWS = ["all", "paused", "archived"] as const;
type Show = (typeof SHOWS)[number];

/** All pipelines: is all well? */
export default function PipelinesPage() {
  const { search, tag, show } = route.useSearch();
  const navigate = useNavigate({ from: "/pipelines" });
  const query = {
    limit: PAGE,
    runs: RUNS,
    ...(search === undefined ? {} : { search }),
    ...(tag === undefined ? {} : { tag }),
    ...(show === "archived" ? { archived: true } : {}),
    ...(show === "paused" ? { paused: true } : {}),
  };
  const pages = usePages("/api/v1/pipelines", { params: { query } }, async (cursor) => {
    const { data } = await api.GET("/api/v1/pipelines", {
      params: { query: { ...query, ...(cursor === undefined ? {} : { cursor }) } },
    });
    return data ?? { items: [], next_cursor: null };
  });
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const change = useCallback(
    (wanted: { search?: string | undefined; tag?: string | undefined; show?: "paused" | "archived" | undefined }) =>
      void navigate({ replace: true, search: (before) => ({ ...before, ...wanted }) }),
    [navigate],
  );
  const onSearch = useCallback((text: string) => change({ search: text === "" ? undefined : text }), [change]);
  const columns = useMemo(() => makeColumns(chosen, setChosen, (name) => change({ tag: name })), [chosen, change]);
  return (
    <Flex direction="column" flex="1" minH="0" pb="4">
      <PageHead title="Pipelines">
        {tag !== undefined && (
          <Tag.Root size="lg">
            <Tag.Label>Tag {tag}</Tag.Label>
            <Tag.EndElement>
              <Tag.CloseTrigger aria-label={`Do not filter by tag ${tag}`} onClick={() => change({ tag: undefined })} />
            </Tag.EndElement>
          </Tag.Root>
        )}
        <SearchField value={search ?? ""} label="Search by name or id" onChange={onSearch} />
        <SegmentGroup.Root
          size="sm"
          value={show ?? "all"}
          onValueChange={({ value }) => change({ show: value === "all" ? undefined : (value as Exclude<Show, "all">) })}
          aria-label="Which pipelines"
        >
          <SegmentGroup.Indicator />
          {SHOWS.map((each) => (
            <SegmentGroup.Item key={each} value={each}>
              <SegmentGroup.ItemText>{each.charAt(0).toUpperCase() + each.slice(1)}</SegmentGroup.ItemText>
              <SegmentGroup.ItemHiddenInput />
            </SegmentGroup.Item>
          ))}
        </SegmentGroup.Root>
      </PageHead>
      <Flex direction="column" flex="1" minH="0" px="4" gap="2">
        <BrokenFiles />
        {chosen.size > 0 && <Selection chosen={chosen} onDone={() => setChosen(new Set())} />}
        {pages.error !== null ? (
          <Failure error={pages.error} retry={() => void pages.refetch()} />
        ) : (
          <DataTable
            label="Pipelines"
            columns={columns}
            rows={pages.items}
            rowKey={({ id }) => id}
            rowHeight={56}
            loading={pages.isLoading}
            onEnd={pages.readNext}
            selected={({ id }) => chosen.has(id)}
            empty={<NoPipelines filtered={search !== undefined || tag !== undefined || show !== undefined} />}
          />
        )}
      </Flex>
    </Flex>
  );
}

function makeColumns(
  chosen: ReadonlySet<string>,
  setChosen: (chosen: ReadonlySet<string>) => void,
  onTag: (tag: string) => void,
): Column<Listed>[] {
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) {
      next.add(id);
    }
    setChosen(next);
  };
  return [
    {
      name: "choose",
      header: "",
      width: "20px",
      cell: ({ id, name }) => (
        <Checkbox.Root size="sm" checked={chosen.has(id)} onCheckedChange={() => toggle(id)}>
          <Checkbox.HiddenInput aria-label={`Choose ${name}`} />
          <Checkbox.Control />
        </Checkbox.Root>
      ),
    },
    {
      name: "name",
      header: "Name",
      width: "minmax(200px, 3fr)",
      cell: (row) => <Name row={row} onTag={onTag} />,
    },
    { name: "state", header: "State", width: "90px", cell: (row) => <PipelineState row={row} /> },
    {
      name: "runs",
      header: "Last runs",
      width: "140px",
      cell: ({ id, recent_runs: runs }) => (
        <RunBars
          runs={runs}
          link={({ run_id: run }, bar) => (
            <Link to="/pipelines/$pipeline/runs/$run" params={{ pipeline: id, run }}>
              {bar}
            </Link>
          )}
        />
      ),
    },
    {
      name: "next",
      header: "Next run",
      width: "minmax(90px, 1fr)",
      cell: ({ next_run_at: at, paused }) => (paused === true ? "–" : <Time at={at} />),
    },
    { name: "owner", header: "Owner", width: "minmax(80px, 1fr)", cell: ({ owner }) => <Text truncate>{owner}</Text> },
    {
      name: "updated",
      header: "Changed",
      width: "minmax(110px, 1fr)",
      cell: ({ updated_at: at, updated_by: by }) => (
        <Box title={`by ${by}`}>
          <Time at={at} />
        </Box>
      ),
    },
  ];
}

function Name({ row, onTag }: { row: Listed; onTag: (tag: string) => void }) {
  return (
    <Box minW="0">
      <Anchor asChild fontWeight="medium" display="block" truncate title={row.name}>
        <Link to="/pipelines/$pipeline" params={{ pipeline: row.id }}>
          {row.name}
        </Link>
      </Anchor>
      <Flex gap="1" align="center" fontSize="xs" color="fg.muted" minW="0">
        {row.id !== row.name && <Text truncate>{row.id}</Text>}
        {row.tags.slice(0, 3).map((tag) => (
          <Tag.Root key={tag} size="sm" asChild cursor="pointer" maxW="120px">
            <button type="button" onClick={() => onTag(tag)} title={`Show those with tag ${tag}`}>
              <Tag.Label>{tag}</Tag.Label>
            </button>
          </Tag.Root>
        ))}
      </Flex>
    </Box>
  );
}

function PipelineState({ row }: { row: Listed }) {
  const [word, colour, about] = row.archived
    ? ["Archived", "gray", "Airflow does not have it"]
    : row.problems > 0
      ? [
          "Broken",
          "red",
          `Its file has ${row.problems} problems; ${row.version === 0 ? "nothing" : `version ${row.version}`} runs`,
        ]
      : row.version === 0
        ? ["Draft", "purple", "Nothing is published yet"]
        : row.paused === true
          ? ["Paused", "orange", "Airflow starts no runs"]
          : row.paused === null
            ? ["Loading", "gray", "Airflow has not read it yet"]
            : ["Live", "green", `Version ${row.version}`];
  return (
    <Badge colorPalette={colour} variant="subtle" title={about}>
      {word}
    </Badge>
  );
}

function NoPipelines({ filtered }: { filtered: boolean }) {
  return filtered ? (
    <Empty icon={<Workflow />} title="No pipeline is like that">
      Search for another text, or take the filter away.
    </Empty>
  ) : (
    <Empty icon={<Workflow />} title="No pipelines yet">
      A pipeline says in one JSON document which nodes read, change and write your data. Drop one into the folder of
      pipelines, or publish it by <Code>airloom publish FILE</Code>: it appears here at once.
    </Empty>
  );
}
