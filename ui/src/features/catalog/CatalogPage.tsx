import { Badge, Box, Flex, Grid, Heading, Link as Anchor, Skeleton, Stack, Text } from "@chakra-ui/react";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useCallback } from "react";

import { $api, type NodeTypeSummary } from "src/api/client";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { NodeIcon } from "src/kit/icons";
import { PageHead } from "src/kit/PageHead";
import { SearchField } from "src/kit/SearchField";
import { categoryHue, categoryTitle } from "src/theme/categories";

const route = getRouteApi("/catalog");

/** Every node type, by category: which one does what I need? */
export default function CatalogPage() {
  const { search } = route.useSearch();
  const navigate = useNavigate({ from: "/catalog" });
  const catalog = $api.useQuery("get", "/api/v1/catalog");
  const onSearch = useCallback(
    (text: string) => void navigate({ replace: true, search: text === "" ? {} : { search: text } }),
    [navigate],
  );
  const wanted = (search ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const types = (catalog.data?.types ?? []).filter((type) => matches(type, wanted));
  const categories = (catalog.data?.categories ?? []).filter((name) => types.some(({ category }) => category === name));
  return (
    <Flex direction="column" flex="1" minH="0" overflow="auto">
      <PageHead
        title="Catalog"
        about={catalog.data === undefined ? "Node types" : `${catalog.data.types.length} node types`}
      >
        <SearchField value={search ?? ""} label="Search node types" onChange={onSearch} />
      </PageHead>
      <Stack px="4" pb="6" gap="6">
        {catalog.error !== null && <Failure error={catalog.error} retry={() => void catalog.refetch()} />}
        {(catalog.data?.problems ?? []).map((problem) => (
          <Failure
            key={JSON.stringify(problem)}
            error={{ message: `A file of your own node types cannot be read: ${String(problem["message"])}` }}
          />
        ))}
        {catalog.isLoading && <CatalogSkeleton />}
        {categories.map((category) => (
          <Box as="section" key={category} aria-labelledby={`category-${category}`}>
            <Heading as="h2" id={`category-${category}`} size="sm" mb="3">
              {categoryTitle(category)}
            </Heading>
            <Grid templateColumns="repeat(auto-fill, minmax(260px, 1fr))" gap="3">
              {types
                .filter((type) => type.category === category)
                .map((type) => (
                  <TypeCard
                    key={type.type}
                    type={type}
                    disabled={catalog.data?.disabled.includes(type.type) === true}
                  />
                ))}
            </Grid>
          </Box>
        ))}
        {catalog.data !== undefined && types.length === 0 && (
          <Empty icon={<Search />} title="No node type has these words">
            Try another word for what it does, such as “group”, “join” or “Excel”.
          </Empty>
        )}
      </Stack>
    </Flex>
  );
}

function matches({ type, title, summary, category }: NodeTypeSummary, words: string[]): boolean {
  const text = `${type} ${title} ${summary} ${category}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function TypeCard({ type, disabled }: { type: NodeTypeSummary; disabled: boolean }) {
  const hue = categoryHue(type.category, type.effect);
  return (
    <Anchor
      asChild
      display="flex"
      alignItems="start"
      gap="3"
      p="3"
      borderWidth="1px"
      borderRadius="md"
      color="fg"
      textDecoration="none"
      borderStyle={disabled ? "dashed" : "solid"}
      _hover={{ borderColor: "border.emphasized", bg: "bg.subtle", textDecoration: "none" }}
      css={{ borderInlineStartWidth: "4px", borderInlineStartColor: `{colors.${hue}.solid}` }}
    >
      <Link to="/catalog/$type" params={{ type: type.type }}>
        <Flex as="span" p="2" borderRadius="md" bg={`${hue}.subtle`} color={`${hue}.fg`}>
          <NodeIcon name={type.icon} />
        </Flex>
        <Box as="span" minW="0" display="block">
          <Text as="span" display="block" fontWeight="medium">
            {type.title} {disabled && <Badge size="xs">Switched off</Badge>}
            {type.stability === "preview" && <Badge size="xs">Preview</Badge>}
          </Text>
          <Text as="span" display="block" fontSize="xs" color="fg.muted" lineClamp={2}>
            {type.summary}
          </Text>
        </Box>
      </Link>
    </Anchor>
  );
}

function CatalogSkeleton() {
  return (
    <Grid templateColumns="repeat(auto-fill, minmax(260px, 1fr))" gap="3" aria-busy>
      {Array.from({ length: 12 }, (_, at) => (
        <Skeleton key={at} h="66px" borderRadius="md" />
      ))}
    </Grid>
  );
}
