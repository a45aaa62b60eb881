import { Box, Dialog, Input, Portal, Text } from "@chakra-ui/react";
import { useNavigate } from "@tanstack/react-router";
import { useState, type KeyboardEvent } from "react";

import { $api } from "src/api/client";

interface Entry {
  key: string;
  title: string;
  kind: string;
  go: () => void;
}

const SHOWN = 12;

/** Find pipelines, node types and pages by typing. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries(search);
  const at = Math.min(chosen, Math.max(entries.length - 1, 0));
  const open = (entry: Entry | undefined) => {
    if (entry !== undefined) {
      onClose();
      entry.go();
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setChosen((at + step + entries.length) % Math.max(entries.length, 1));
    } else if (event.key === "Enter") {
      open(entries[at]);
    }
  };
  return (
    <Dialog.Root open onOpenChange={({ open: isOpen }) => !isOpen && onClose()} placement="top" size="lg">
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner>
          <Dialog.Content aria-label="Search">
            <Input
              autoFocus
              size="lg"
              variant="flushed"
              px="4"
              placeholder="Find a pipeline, a node type, a page"
              aria-label="Find a pipeline, a node type, a page"
              role="combobox"
              aria-expanded
              aria-controls="palette-entries"
              aria-activedescendant={entries[at] === undefined ? undefined : `palette-${at}`}
              value={search}
              onChange={(event) => {
                setSearch(event.target.value);
                setChosen(0);
              }}
              onKeyDown={onKey}
            />
            <Box id="palette-entries" role="listbox" aria-label="What was found" p="2" minH="320px">
              {entries.map((entry, index) => (
                <Box
                  key={entry.key}
                  id={`palette-${index}`}
                  role="option"
                  aria-selected={index === at}
                  display="flex"
                  justifyContent="space-between"
                  gap="4"
                  px="3"
                  py="2"
                  borderRadius="md"
                  cursor="pointer"
                  bg={index === at ? "bg.emphasized" : undefined}
                  onMouseMove={() => setChosen(index)}
                  onClick={() => open(entry)}
                >
                  <Text truncate>{entry.title}</Text>
                  <Text color="fg.muted" flexShrink="0">
                    {entry.kind}
                  </Text>
                </Box>
              ))}
              {entries.length === 0 && (
                <Text p="3" color="fg.muted">
                  Nothing has “{search}” in its name.
                </Text>
              )}
            </Box>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
}

function useEntries(search: string): Entry[] {
  const navigate = useNavigate();
  const wanted = search.trim().toLowerCase();
  const { data: pipelines } = $api.useQuery("get", "/api/v1/pipelines", {
    params: { query: { limit: SHOWN, ...(wanted === "" ? {} : { search: wanted }) } },
  });
  const { data: catalog } = $api.useQuery("get", "/api/v1/catalog");
  const pages: Entry[] = (["pipelines", "runs", "catalog", "access"] as const).map((page) => ({
    key: `page ${page}`,
    title: page.charAt(0).toUpperCase() + page.slice(1),
    kind: "Page",
    go: () => void navigate({ to: `/${page}` }),
  }));
  const types: Entry[] = (catalog?.types ?? []).map(({ type, title }) => ({
    key: `type ${type}`,
    title: `${title} (${type})`,
    kind: "Node type",
    go: () => void navigate({ to: "/catalog/$type", params: { type } }),
  }));
  const found: Entry[] = (pipelines?.items ?? []).map(({ id, name }) => ({
    key: `pipeline ${id}`,
    title: name,
    kind: "Pipeline",
    go: () => void navigate({ to: "/pipelines/$pipeline", params: { pipeline: id } }),
  }));
  const matching = [...pages, ...types].filter(({ title }) => title.toLowerCase().includes(wanted));
  return [...found, ...(wanted === "" ? pages : matching)].slice(0, SHOWN);
}
