import { Box, Button, Field, Heading, Input, Skeleton, Stack, Table, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";

import { $api, api } from "src/api/client";
import type { components } from "src/api/schema";
import { NOBODY, SubjectFields, type Subject } from "src/forms/SubjectFields";
import { Confirm } from "src/kit/Confirm";
import { Failure, type Described } from "src/kit/Failure";
import { FormDialog } from "src/kit/FormDialog";
import { Time } from "src/kit/Time";
import { tellDone, tellFailed } from "src/kit/toaster";

type GrantedUse = components["schemas"]["GrantedUse"];

const CONNECTIONS = "/api/v1/grants/connections";
const CODE = "/api/v1/grants/code";
const OF_CONNECTION = "/api/v1/grants/connections/{name}/{subject_kind}/{subject}";
const OF_CODE = "/api/v1/grants/code/{subject_kind}/{subject}";

/** Who may use which Connections, and who may publish code; for administrators. */
export function Grants() {
  const connections = $api.useQuery("get", CONNECTIONS);
  const code = $api.useQuery("get", CODE);
  return (
    <>
      <GrantList
        title="Connections"
        about="Administrators may use every Connection; others those that are granted to them or to a role of theirs."
        verb="Grant a Connection"
        query={connections}
        hasObject
      />
      <GrantList
        title="Authors of code"
        about="The role Airloom Code author may publish nodes that run code; so may these."
        verb="Let somebody publish code"
        query={code}
        hasObject={false}
      />
    </>
  );
}

interface ListProps {
  title: string;
  about: string;
  verb: string;
  hasObject: boolean;
  query: { data: GrantedUse[] | undefined; error: Described | null; refetch: () => unknown };
}

function GrantList({ title, about, verb, hasObject, query }: ListProps) {
  const [adding, setAdding] = useState(false);
  const queries = useQueryClient();
  const take = useMutation({
    mutationFn: ({ object, subject_kind, subject }: GrantedUse) =>
      hasObject
        ? api.DELETE(OF_CONNECTION, { params: { path: { name: object, subject_kind, subject } } })
        : api.DELETE(OF_CODE, { params: { path: { subject_kind, subject } } }),
    onSuccess: () => tellDone("The grant is taken away"),
    onError: (error) => tellFailed("The grant was not taken away", error),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", hasObject ? CONNECTIONS : CODE] }),
  });
  return (
    <Box as="section">
      <Stack direction="row" align="center" mb="1">
        <Heading as="h2" size="md" flex="1">
          {title}
        </Heading>
        <Button size="sm" variant="outline" onClick={() => setAdding(true)}>
          <Plus size={14} /> {verb}
        </Button>
      </Stack>
      <Text color="fg.muted" mb="3">
        {about}
      </Text>
      {query.error !== null && <Failure error={query.error} retry={() => void query.refetch()} />}
      {query.error === null && query.data === undefined && <Skeleton h="60px" />}
      {query.data?.length === 0 && <Text>Nothing is granted yet.</Text>}
      {query.data !== undefined && query.data.length > 0 && (
        <Table.ScrollArea tabIndex={0}>
          <Table.Root size="sm">
            <Table.Header>
              <Table.Row>
                {hasObject && <Table.ColumnHeader>Connection</Table.ColumnHeader>}
                {["User or role", "Granted by", "When", ""].map((head) => (
                  <Table.ColumnHeader key={head}>{head}</Table.ColumnHeader>
                ))}
              </Table.Row>
            </Table.Header>
            <Table.Body>
              {query.data.map((grant) => (
                <Table.Row key={`${grant.object} ${grant.subject_kind} ${grant.subject}`}>
                  {hasObject && <Table.Cell overflowWrap="anywhere">{grant.object}</Table.Cell>}
                  <Table.Cell overflowWrap="anywhere">
                    {grant.subject_kind === "role" ? `Role ${grant.subject}` : grant.subject}
                  </Table.Cell>
                  <Table.Cell>{grant.granted_by}</Table.Cell>
                  <Table.Cell>
                    <Time at={grant.granted_at} />
                  </Table.Cell>
                  <Table.Cell textAlign="end">
                    <Confirm
                      danger
                      title={`Take it away from ${grant.subject}?`}
                      verb="Take away"
                      onConfirm={() => take.mutate(grant)}
                      trigger={
                        <Button size="xs" variant="ghost" colorPalette="danger">
                          Take away
                        </Button>
                      }
                    >
                      What is published already goes on; a next version is refused.
                    </Confirm>
                  </Table.Cell>
                </Table.Row>
              ))}
            </Table.Body>
          </Table.Root>
        </Table.ScrollArea>
      )}
      {adding && <NewGrant title={verb} hasObject={hasObject} onClose={() => setAdding(false)} />}
    </Box>
  );
}

function NewGrant({ title, hasObject, onClose }: { title: string; hasObject: boolean; onClose: () => void }) {
  const queries = useQueryClient();
  const [subject, setSubject] = useState<Subject>(NOBODY);
  const [name, setName] = useState("");
  const known = $api.useQuery("get", "/api/v1/connections", {}, { enabled: hasObject, retry: false });
  const grant = useMutation({
    mutationFn: () => {
      const path = { subject_kind: subject.kind, subject: subject.name.trim() };
      return hasObject
        ? api.PUT(OF_CONNECTION, { params: { path: { ...path, name: name.trim() } } })
        : api.PUT(OF_CODE, { params: { path } });
    },
    onSuccess: () => {
      tellDone(`Granted to ${subject.name}`);
      onClose();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", hasObject ? CONNECTIONS : CODE] }),
  });
  return (
    <FormDialog title={title} verb="Grant" pending={grant.isPending} onSubmit={() => grant.mutate()} onClose={onClose}>
      <Stack gap="4">
        {hasObject && (
          <Field.Root required>
            <Field.Label>
              Connection <Field.RequiredIndicator />
            </Field.Label>
            <Input
              size="sm"
              list="known-connections"
              value={name}
              maxLength={250}
              onChange={(event) => setName(event.target.value)}
            />
            <datalist id="known-connections">
              {(known.data ?? []).map((connection) => (
                <option key={connection.name} value={connection.name} />
              ))}
            </datalist>
          </Field.Root>
        )}
        <SubjectFields value={subject} onChange={setSubject} />
        {grant.error !== null && <Failure error={grant.error} />}
      </Stack>
    </FormDialog>
  );
}
