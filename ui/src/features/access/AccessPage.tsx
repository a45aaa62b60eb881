import { Badge, Box, Button, Heading, Skeleton, Stack, Table, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { useState } from "react";

import { $api, api } from "src/api/client";
import { Confirm } from "src/kit/Confirm";
import { Empty } from "src/kit/Empty";
import { Failure } from "src/kit/Failure";
import { Facts } from "src/kit/Facts";
import { PageHead } from "src/kit/PageHead";
import { Time } from "src/kit/Time";
import { tellDone, tellFailed } from "src/kit/toaster";

import { Grants } from "./Grants";
import { NewToken } from "./NewToken";

const RIGHTS: Record<string, string> = {
  read: "see pipelines",
  create: "make pipelines",
  code: "publish code",
  admin: "administer Airloom",
};

/** Who somebody is here, what they may, and the tokens that act for them. */
export default function AccessPage() {
  const me = $api.useQuery("get", "/api/v1/me");
  return (
    <Box flex="1" minH="0" overflow="auto">
      <PageHead title="Access" />
      <Stack px="4" pb="8" gap="8" maxW="1080px">
        {me.error !== null && <Failure error={me.error} retry={() => void me.refetch()} />}
        {me.data === undefined ? (
          <Skeleton h="80px" />
        ) : (
          <Facts
            facts={[
              ["You are", me.data.name],
              ["Roles", me.data.roles.join(", ")],
              ["You may", me.data.rights.map((right) => RIGHTS[right] ?? right).join(", ")],
              ["Connections", me.data.connections === null ? "all" : me.data.connections.join(", ") || "none"],
            ]}
          />
        )}
        <Tokens />
        {me.data?.rights.includes("admin") === true && <Grants />}
      </Stack>
    </Box>
  );
}

function Tokens() {
  const [making, setMaking] = useState(false);
  const queries = useQueryClient();
  const tokens = $api.useQuery("get", "/api/v1/tokens");
  const revoke = useMutation({
    mutationFn: (identifier: string) => api.DELETE("/api/v1/tokens/{identifier}", { params: { path: { identifier } } }),
    onSuccess: () => tellDone("The token is revoked"),
    onError: (error) => tellFailed("The token was not revoked", error),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", "/api/v1/tokens"] }),
  });
  if (tokens.error !== null) {
    return <Failure error={tokens.error} retry={() => void tokens.refetch()} />;
  }
  const make = (
    <Button size="sm" variant="outline" onClick={() => setMaking(true)}>
      <KeyRound size={14} /> Make a token
    </Button>
  );
  return (
    <Box as="section">
      <Stack direction="row" align="center" mb="3">
        <Heading as="h2" size="md" flex="1">
          Service tokens
        </Heading>
        {tokens.data !== undefined && tokens.data.length > 0 && make}
      </Stack>
      {tokens.data === undefined && <Skeleton h="100px" />}
      {tokens.data?.length === 0 && (
        <Empty icon={<KeyRound />} title="No tokens yet" action={make}>
          A token lets a program act for you, within the scopes that you choose.
        </Empty>
      )}
      {tokens.data !== undefined && tokens.data.length > 0 && (
        <Table.ScrollArea tabIndex={0}>
          <Table.Root size="sm">
            <Table.Header>
              <Table.Row>
                {["Name", "Of", "Scopes", "For", "Made", "Last used", "Ends", ""].map((head) => (
                  <Table.ColumnHeader key={head}>{head}</Table.ColumnHeader>
                ))}
              </Table.Row>
            </Table.Header>
            <Table.Body>
              {tokens.data.map((token) => (
                <Table.Row key={token.id}>
                  <Table.Cell maxW="240px" overflowWrap="anywhere">
                    {token.name}
                  </Table.Cell>
                  <Table.Cell>{token.user_name}</Table.Cell>
                  <Table.Cell>{token.scopes.join(", ")}</Table.Cell>
                  <Table.Cell>
                    {[...(token.pipelines ?? []), ...(token.tags ?? [])].join(", ") || "all pipelines"}
                  </Table.Cell>
                  <Table.Cell>
                    <Time at={token.created_at} />
                  </Table.Cell>
                  <Table.Cell>
                    <Time at={token.used_at} empty="never" />
                  </Table.Cell>
                  <Table.Cell>
                    <Time at={token.expires_at} empty="never" />
                  </Table.Cell>
                  <Table.Cell textAlign="end">
                    {token.revoked_at !== null ? (
                      <Badge>Revoked</Badge>
                    ) : (
                      <Confirm
                        danger
                        title={`Revoke ${token.name}?`}
                        verb="Revoke"
                        onConfirm={() => revoke.mutate(token.id)}
                        trigger={
                          <Button size="xs" variant="ghost" colorPalette="danger">
                            Revoke
                          </Button>
                        }
                      >
                        <Text>Programs that use it are refused from now on.</Text>
                      </Confirm>
                    )}
                  </Table.Cell>
                </Table.Row>
              ))}
            </Table.Body>
          </Table.Root>
        </Table.ScrollArea>
      )}
      {making && <NewToken onClose={() => setMaking(false)} />}
    </Box>
  );
}
