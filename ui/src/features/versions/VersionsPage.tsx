import { Badge, Box, Button, Checkbox, Flex, Heading, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { GitCompare, Undo2 } from "lucide-react";

import { $api, api, type VersionSummary } from "src/api/client";
import { Confirm } from "src/kit/Confirm";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { PageHead } from "src/kit/PageHead";
import { Time } from "src/kit/Time";
import { tellDone, tellFailed } from "src/kit/toaster";

import { Comparison } from "./Comparison";

const route = getRouteApi("/pipelines/$pipeline/versions");
const PAGE = 100;

/** The versions of a pipeline: who made which, and what two differ in. */
export default function VersionsPage() {
  const { pipeline } = route.useParams();
  const { before, after } = route.useSearch();
  const detail = $api.useQuery("get", "/api/v1/pipelines/{pipeline}", { params: { path: { pipeline } } });
  const versions = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/versions", {
    params: { path: { pipeline }, query: { limit: PAGE } },
  });
  if (versions.error !== null) {
    return (
      <Box p="4">
        <Failure error={versions.error} retry={() => void versions.refetch()} />
      </Box>
    );
  }
  return (
    <Flex direction="column" flex="1" minH="0">
      <PageHead title="Versions" about={detail.data?.name ?? pipeline}>
        <Button asChild size="sm" variant="outline">
          <Link to="/pipelines/$pipeline" params={{ pipeline }}>
            Back to the pipeline
          </Link>
        </Button>
      </PageHead>
      <Flex flex="1" minH="0" borderTopWidth="1px">
        <Stack as="ol" listStyleType="none" gap="0" w="320px" flexShrink="0" overflow="auto" borderInlineEndWidth="1px">
          {versions.data === undefined
            ? [0, 1, 2, 3].map((at) => <Skeleton as="li" key={at} h="64px" m="3" />)
            : versions.data.items.map((version) => (
                <Version
                  key={version.number}
                  version={version}
                  current={detail.data?.version}
                  mayPublish={detail.data?.may.includes("publish") === true}
                />
              ))}
        </Stack>
        <Flex flex="1" minW="0" direction="column">
          {before !== undefined && after !== undefined ? (
            <Comparison pipeline={pipeline} before={before} after={after} />
          ) : (
            <Empty icon={<GitCompare />} title="Choose two versions">
              Their difference shows on the graph and in words: nodes, edges and settings, not lines of text.
            </Empty>
          )}
        </Flex>
      </Flex>
    </Flex>
  );
}

interface VersionProps {
  version: VersionSummary;
  current: number | undefined;
  mayPublish: boolean;
}

function Version({ version, current, mayPublish }: VersionProps) {
  const { pipeline } = route.useParams();
  const { before, after } = route.useSearch();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const rollBack = useMutation({
    mutationFn: () =>
      api.POST("/api/v1/pipelines/{pipeline}/rollback", {
        params: { path: { pipeline } },
        body: { version: version.number },
      }),
    onSuccess: ({ data }) => tellDone(`Version ${version.number} is published again, as version ${data?.number ?? ""}`),
    onError: (error) => tellFailed("Nothing was rolled back", error),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get"] }),
  });
  const isChosen = version.number === before || version.number === after;
  const choose = () => {
    const others = [before, after].filter((each) => each !== undefined && each !== version.number);
    const chosen = (isChosen ? others : [...others.slice(-1), version.number]).toSorted(
      (a, b) => Number(a) - Number(b),
    );
    void navigate({ to: ".", search: { before: chosen[0], after: chosen[1] } });
  };
  return (
    <Flex as="li" gap="3" p="3" borderBottomWidth="1px" bg={isChosen ? "bg.muted" : undefined}>
      <Checkbox.Root size="sm" checked={isChosen} onCheckedChange={choose} alignSelf="start" mt="1">
        <Checkbox.HiddenInput aria-label={`Compare version ${version.number}`} />
        <Checkbox.Control />
      </Checkbox.Root>
      <Box flex="1" minW="0">
        <Flex align="center" gap="2">
          <Heading as="h2" size="sm">
            Version {version.number}
          </Heading>
          {version.number === current && (
            <Badge size="xs" colorPalette="green">
              current
            </Badge>
          )}
        </Flex>
        <Text overflowWrap="anywhere">{version.message === "" ? "No message" : version.message}</Text>
        <Text fontSize="xs" color="fg.muted">
          {version.author} · <Time at={version.created_at} />
        </Text>
      </Box>
      {mayPublish && version.number !== current && (
        <Confirm
          title={`Roll back to version ${version.number}?`}
          verb="Roll back"
          onConfirm={() => rollBack.mutate()}
          trigger={
            <Button
              size="xs"
              variant="ghost"
              aria-label={`Roll back to version ${version.number}`}
              loading={rollBack.isPending}
            >
              <Undo2 size={14} />
            </Button>
          }
        >
          Its document is published again, as a new version. The versions in between stay.
        </Confirm>
      )}
    </Flex>
  );
}
