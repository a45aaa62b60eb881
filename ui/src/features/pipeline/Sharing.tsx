import { Box, Button, Field, Heading, NativeSelect, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { UserPlus, X } from "lucide-react";
import { useState } from "react";

import { $api, api, type PipelineDetail } from "src/api/client";
import type { components } from "src/api/schema";
import { NOBODY, SubjectFields, type Subject } from "src/forms/SubjectFields";
import { Failure } from "src/kit/Failure";
import { FormDialog } from "src/kit/FormDialog";
import { Time } from "src/kit/Time";
import { tellDone, tellFailed } from "src/kit/toaster";

type Collaborator = components["schemas"]["Collaborator"];
type Level = components["schemas"]["GrantToGive"]["level"];

const PATH = "/api/v1/pipelines/{pipeline}/collaborators/{subject_kind}/{subject}";
const LIST = "/api/v1/pipelines/{pipeline}/collaborators";
const LEVELS: Record<Level, string> = {
  reader: "reads it, its runs and rows",
  editor: "reads, runs and edits it",
  publisher: "also publishes and shares it",
};

/** Who else may do what with a pipeline. */
export function Sharing({ pipeline }: { pipeline: PipelineDetail }) {
  const path = { pipeline: pipeline.id };
  const [adding, setAdding] = useState(false);
  const queries = useQueryClient();
  const collaborators = $api.useQuery("get", LIST, { params: { path } });
  const remove = useMutation({
    mutationFn: ({ subject_kind, subject }: Collaborator) =>
      api.DELETE(PATH, { params: { path: { ...path, subject_kind, subject } } }),
    onSuccess: (_, { subject }) => tellDone(`${subject} has no grant at it any more`),
    onError: (error) => tellFailed("The grant was not taken away", error),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", LIST] }),
  });
  if (collaborators.error !== null) {
    return <Failure error={collaborators.error} retry={() => void collaborators.refetch()} />;
  }
  const mayShare = pipeline.may.includes("publish");
  return (
    <Stack gap="4">
      <Text color="fg.muted">
        {pipeline.owner} owns it. Roles of Airflow may read or run it as well, by their rights at its DAG.
      </Text>
      <Box>
        <Heading as="h2" size="sm" mb="2">
          Shared with
        </Heading>
        {collaborators.data === undefined && <Skeleton h="60px" />}
        {collaborators.data?.length === 0 && <Text color="fg.muted">Nobody else.</Text>}
        <Stack as="ul" listStyleType="none" gap="2">
          {(collaborators.data ?? []).map((each) => (
            <Stack
              as="li"
              key={`${each.subject_kind} ${each.subject}`}
              direction="row"
              align="start"
              borderBottomWidth="1px"
              pb="2"
            >
              <Box flex="1" minW="0">
                <Text overflowWrap="anywhere">
                  {each.subject_kind === "role" ? `Role ${each.subject}` : each.subject}
                </Text>
                <Text fontSize="xs" color="fg.muted">
                  {LEVELS[each.level as Level]} · by {each.granted_by}, <Time at={each.granted_at} />
                </Text>
              </Box>
              {mayShare && (
                <Button
                  size="xs"
                  variant="ghost"
                  aria-label={`Take the grant of ${each.subject} away`}
                  disabled={remove.isPending}
                  onClick={() => remove.mutate(each)}
                >
                  <X size={14} />
                </Button>
              )}
            </Stack>
          ))}
        </Stack>
      </Box>
      {mayShare && (
        <Button size="sm" variant="outline" alignSelf="start" onClick={() => setAdding(true)}>
          <UserPlus size={14} /> Share
        </Button>
      )}
      {adding && <Share pipeline={pipeline} onClose={() => setAdding(false)} />}
    </Stack>
  );
}

function Share({ pipeline, onClose }: { pipeline: PipelineDetail; onClose: () => void }) {
  const queries = useQueryClient();
  const [subject, setSubject] = useState<Subject>(NOBODY);
  const [level, setLevel] = useState<Level>("reader");
  const share = useMutation({
    mutationFn: () =>
      api.PUT(PATH, {
        params: { path: { pipeline: pipeline.id, subject_kind: subject.kind, subject: subject.name.trim() } },
        body: { level },
      }),
    onSuccess: () => {
      tellDone(`Shared with ${subject.name}`);
      onClose();
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", LIST] }),
  });
  return (
    <FormDialog
      title={`Share ${pipeline.name}`}
      verb="Share"
      pending={share.isPending}
      onSubmit={() => share.mutate()}
      onClose={onClose}
    >
      <Stack gap="4">
        <SubjectFields value={subject} onChange={setSubject} />
        <Field.Root>
          <Field.Label>Who then</Field.Label>
          <NativeSelect.Root size="sm">
            <NativeSelect.Field value={level} onChange={(event) => setLevel(event.target.value as Level)}>
              {Object.entries(LEVELS).map(([name, words]) => (
                <option key={name} value={name}>
                  {words}
                </option>
              ))}
            </NativeSelect.Field>
            <NativeSelect.Indicator />
          </NativeSelect.Root>
        </Field.Root>
        {share.error !== null && <Failure error={share.error} />}
      </Stack>
    </FormDialog>
  );
}
