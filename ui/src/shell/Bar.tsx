import { Box, Button, Flex, Kbd, Link as Anchor } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";
import { Search } from "lucide-react";

import { $api } from "src/api/client";
import type { Connection } from "src/api/events";

const CONNECTIONS: Record<Connection, { word: string; colour: string }> = {
  connecting: { word: "Connecting to live events", colour: "gray.solid" },
  live: { word: "Live: changes show as they happen", colour: "green.solid" },
  lost: { word: "Live events are interrupted; connecting again", colour: "orange.solid" },
};

interface Entry {
  to: "/pipelines" | "/runs" | "/catalog" | "/access" | "/operations";
  name: string;
  right?: string;
}

const ENTRIES: Entry[] = [
  { to: "/pipelines", name: "Pipelines" },
  { to: "/runs", name: "Runs" },
  { to: "/catalog", name: "Catalog" },
  { to: "/access", name: "Access" },
  { to: "/operations", name: "Operations", right: "admin" },
];

/** The navigation above every page; what somebody has no right to is not there. */
export function Bar({ connection, onSearch }: { connection: Connection; onSearch: () => void }) {
  const { data: me } = $api.useQuery("get", "/api/v1/me");
  const entries = ENTRIES.filter(({ right }) => right === undefined || me?.rights.includes(right) === true);
  const { word, colour } = CONNECTIONS[connection];
  return (
    <Flex as="header" align="center" gap="1" px="4" h="44px" borderBottomWidth="1px" bg="bg.subtle" flexShrink="0">
      <Flex as="nav" aria-label="Airloom" gap="1" flex="1" minW="0">
        {entries.map(({ to, name }) => (
          <Anchor
            asChild
            key={to}
            px="3"
            h="32px"
            borderRadius="md"
            color="fg.muted"
            fontWeight="medium"
            textDecoration="none"
            _hover={{ bg: "bg.muted", textDecoration: "none" }}
            css={{ "&[aria-current=page]": { color: "fg", bg: "bg.emphasized" } }}
          >
            <Link to={to}>{name}</Link>
          </Anchor>
        ))}
      </Flex>
      <Button variant="outline" size="xs" onClick={onSearch} color="fg.muted" aria-keyshortcuts="Control+K">
        <Search size={14} aria-hidden /> Search <Kbd size="sm">Ctrl K</Kbd>
      </Button>
      <Flex role="status" aria-label={word} title={word} align="center" gap="2" ml="3" fontSize="xs" color="fg.muted">
        {connection === "lost" && "Connecting again…"}
        <Box boxSize="8px" borderRadius="full" bg={colour} />
      </Flex>
    </Flex>
  );
}
