import { Box, Heading, Link as Anchor, Skeleton, Stack, Text } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";

import { $api } from "src/api/client";
import { Failure } from "src/kit/Failure";

/** What a pipeline uses, and which pipelines use it. */
export function Usage({ pipeline }: { pipeline: string }) {
  const usage = $api.useQuery("get", "/api/v1/pipelines/{pipeline}/usage", { params: { path: { pipeline } } });
  if (usage.error !== null) {
    return <Failure error={usage.error} retry={() => void usage.refetch()} />;
  }
  if (usage.data === undefined) {
    return <Skeleton h="120px" />;
  }
  const uses = usage.data.uses.filter(({ kind }) => kind !== "type");
  return (
    <Stack gap="4">
      <Box>
        <Heading as="h2" size="sm" mb="1">
          It is used by
        </Heading>
        {usage.data.used_by.length === 0 ? (
          <Text color="fg.muted">No pipeline that you may read runs it.</Text>
        ) : (
          usage.data.used_by.map(({ pipeline: user, node }) => (
            <Anchor asChild key={`${user ?? ""} ${node}`} display="block">
              <Link to="/pipelines/$pipeline" params={{ pipeline: user ?? "" }} search={{ node }}>
                {user}, node {node}
              </Link>
            </Anchor>
          ))
        )}
      </Box>
      <Box>
        <Heading as="h2" size="sm" mb="1">
          It uses
        </Heading>
        {uses.length === 0 && <Text color="fg.muted">Nothing outside of itself.</Text>}
        <Stack as="ul" listStyleType="none" gap="1">
          {uses.map(({ node, kind, name }) => (
            <Text as="li" key={`${node} ${kind} ${name ?? ""}`} overflowWrap="anywhere">
              {kind}: {name ?? "known only to a run"}{" "}
              <Anchor asChild color="fg.muted">
                <Link to="." search={(before) => ({ ...before, node })}>
                  ({node})
                </Link>
              </Anchor>
            </Text>
          ))}
        </Stack>
      </Box>
    </Stack>
  );
}
