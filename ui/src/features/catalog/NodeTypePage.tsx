import { Badge, Box, Code, Grid, Heading, Link as Anchor, Skeleton, Stack, Table, Text } from "@chakra-ui/react";
import { getRouteApi, Link } from "@tanstack/react-router";

import { $api, type NodeTypeDetail } from "src/api/client";
import { Failure } from "src/kit/Failure";
import { Facts } from "src/kit/Facts";
import { NodeIcon } from "src/kit/icons";
import { PageHead } from "src/kit/PageHead";
import { Prose } from "src/kit/Prose";
import { configFields, type ConfigField } from "src/model/configFields";
import { categoryHue, categoryTitle } from "src/theme/categories";

import { Examples } from "./Examples";

const route = getRouteApi("/catalog/$type");
const EFFECTS: Record<string, string> = {
  pure: "Computes only: it can be run again at any time",
  read: "Reads from outside",
  write: "Writes: what it does is kept by somebody else",
};

/** A node type: what it takes, what it gives, and how it is set. */
export default function NodeTypePage() {
  const { type } = route.useParams();
  const detail = $api.useQuery("get", "/api/v1/catalog/types/{type}", { params: { path: { type } } });
  if (detail.error !== null) {
    return (
      <Box p="4">
        <Failure error={detail.error} retry={() => void detail.refetch()} />
      </Box>
    );
  }
  if (detail.data === undefined) {
    return (
      <Stack p="4" gap="4" aria-busy>
        <Skeleton h="28px" w="240px" />
        <Skeleton h="90px" />
        <Skeleton h="240px" />
      </Stack>
    );
  }
  return <Shown detail={detail.data} />;
}

function Shown({ detail }: { detail: NodeTypeDetail }) {
  const fields = configFields(detail.schema);
  const hue = categoryHue(detail.category, detail.effect);
  return (
    <Box flex="1" minH="0" overflow="auto">
      <PageHead
        title={detail.title}
        icon={
          <Box as="span" p="2" borderRadius="md" bg={`${hue}.subtle`} color={`${hue}.fg`}>
            <NodeIcon name={detail.icon} />
          </Box>
        }
        about={
          <>
            <Anchor asChild>
              <Link to="/catalog">Catalog</Link>
            </Anchor>
            {` · ${categoryTitle(detail.category)} · ${detail.type}`}
          </>
        }
      />
      <Stack px="4" pb="8" gap="6" maxW="1080px">
        <Prose text={detail.summary} fontSize="md" />
        <Grid templateColumns={{ base: "1fr", lg: "1fr 1fr" }} gap="6">
          <Facts
            facts={[
              ["Effect", EFFECTS[detail.effect] ?? detail.effect],
              ["Version", detail.version],
              ["Stability", detail.stability],
              [
                "Needs",
                detail.requires === null
                  ? null
                  : `the extra ${detail.requires}${detail.installed ? "" : ", which is not installed"}`,
              ],
            ]}
          />
          <Ports detail={detail} />
        </Grid>
        <Box as="section">
          <Heading as="h2" size="md" mb="2">
            Config
          </Heading>
          {fields.length === 0 ? <Text color="fg.muted">It has nothing to set.</Text> : <ConfigTable fields={fields} />}
        </Box>
        <Examples examples={detail.examples} />
        <Users type={detail.type} />
      </Stack>
    </Box>
  );
}

function Ports({ detail }: { detail: NodeTypeDetail }) {
  const words = (ports: Record<string, unknown>[]) => (ports.length === 0 ? "none" : ports.map(portInWords).join(", "));
  return (
    <Facts
      facts={[
        ["Takes", words(detail.inputs)],
        ["Gives", words(detail.outputs)],
      ]}
    />
  );
}

function portInWords(port: Record<string, unknown>): string {
  if (typeof port["interface"] === "string") {
    return `those of the pipeline that ${port["interface"]} names`;
  }
  if (typeof port["each"] === "string") {
    return `one for each of ${port["each"]} (${String(port["kind"])})`;
  }
  const only =
    typeof port["when"] === "string"
      ? ` where ${port["when"]} is ${typeof port["equals"] === "string" ? port["equals"] : "set"}`
      : "";
  return `${String(port["name"])} (${String(port["kind"])})${only}`;
}

function ConfigTable({ fields }: { fields: ConfigField[] }) {
  return (
    <Table.ScrollArea borderWidth="1px" borderRadius="md" tabIndex={0}>
      <Table.Root size="sm">
        <Table.Header>
          <Table.Row>
            <Table.ColumnHeader>Field</Table.ColumnHeader>
            <Table.ColumnHeader>Type</Table.ColumnHeader>
            <Table.ColumnHeader>Default</Table.ColumnHeader>
            <Table.ColumnHeader>Meaning</Table.ColumnHeader>
          </Table.Row>
        </Table.Header>
        <Table.Body>
          {fields.map((field) => (
            <Table.Row key={field.name} verticalAlign="top">
              <Table.Cell>
                <Code>{field.name}</Code>
              </Table.Cell>
              <Table.Cell>{field.type}</Table.Cell>
              <Table.Cell>{field.required ? <Badge colorPalette="orange">required</Badge> : field.default}</Table.Cell>
              <Table.Cell>
                <Prose text={field.meaning} />
              </Table.Cell>
            </Table.Row>
          ))}
        </Table.Body>
      </Table.Root>
    </Table.ScrollArea>
  );
}

function Users({ type }: { type: string }) {
  const users = $api.useQuery("get", "/api/v1/catalog/types/{type}/users", { params: { path: { type } } });
  return (
    <Box as="section">
      <Heading as="h2" size="md" mb="2">
        Used by
      </Heading>
      {users.error !== null && <Failure error={users.error} retry={() => void users.refetch()} />}
      {users.data?.length === 0 && <Text color="fg.muted">No pipeline that you may read has such a node.</Text>}
      <Stack as="ul" listStyleType="none" gap="1">
        {(users.data ?? []).map(({ pipeline, node }) => (
          <li key={`${pipeline ?? ""} ${node}`}>
            <Anchor asChild>
              <Link to="/pipelines/$pipeline" params={{ pipeline: pipeline ?? "" }} search={{ node }}>
                {pipeline}, node {node}
              </Link>
            </Anchor>
          </li>
        ))}
      </Stack>
    </Box>
  );
}
