import { Button, Field, Flex, Input, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Pause, Play, Tag, Zap } from "lucide-react";
import { useState } from "react";

import { api } from "src/api/client";
import type { components } from "src/api/schema";
import { FormDialog } from "src/kit/FormDialog";
import { tellDone, tellFailed } from "src/kit/toaster";

type Batch = Omit<components["schemas"]["Batch"], "pipelines">;
type Done = components["schemas"]["Done"];
type Action = Batch | { action: "run" };

/** As many does one request take. */
const MOST = 200;
const DONE: Record<Action["action"], string> = {
  run: "Started",
  pause: "Paused",
  unpause: "Resumed",
  archive: "Archived",
  restore: "Restored",
  tag: "Tagged",
  untag: "Took the tag from",
};

/** What can be done with several pipelines at once. */
export function Selection({ chosen, onDone }: { chosen: ReadonlySet<string>; onDone: () => void }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const act = useMutation({
    mutationFn: async (action: Action) => {
      const results = await perform(action, [...chosen]);
      const refused = results.filter(({ done }) => !done);
      tellDone(`${DONE[action.action]} ${results.length - refused.length} of ${results.length}`);
      if (refused.length > 0) {
        throw new Error(refused.map(({ pipeline, error }) => `${pipeline}: ${error ?? "refused"}`).join("; "));
      }
    },
    onError: (error) => tellFailed("Not all could be done", error),
    onSuccess: onDone,
    onSettled: () => {
      setAsking(false);
      return queries.invalidateQueries({ queryKey: ["get", "/api/v1/pipelines"] });
    },
  });
  const button = { size: "xs", variant: "outline", disabled: act.isPending } as const;
  return (
    <Flex
      role="toolbar"
      aria-label="Chosen pipelines"
      align="center"
      wrap="wrap"
      gap="2"
      p="2"
      borderRadius="md"
      bg="bg.muted"
    >
      <Text flex="1">{chosen.size === 1 ? "1 pipeline chosen" : `${chosen.size} pipelines chosen`}</Text>
      <Button {...button} onClick={() => act.mutate({ action: "run" })}>
        <Zap size={14} /> Run
      </Button>
      <Button {...button} onClick={() => act.mutate({ action: "pause" })}>
        <Pause size={14} /> Pause
      </Button>
      <Button {...button} onClick={() => act.mutate({ action: "unpause" })}>
        <Play size={14} /> Resume
      </Button>
      <Button {...button} onClick={() => setAsking(true)}>
        <Tag size={14} /> Tag
      </Button>
      <Button size="xs" variant="ghost" onClick={onDone}>
        Choose none
      </Button>
      {asking && (
        <TagDialog count={chosen.size} pending={act.isPending} onTag={act.mutate} onClose={() => setAsking(false)} />
      )}
    </Flex>
  );
}

interface TagProps {
  count: number;
  pending: boolean;
  onTag: (action: Batch) => void;
  onClose: () => void;
}

function TagDialog({ count, pending, onTag, onClose }: TagProps) {
  const [tag, setTag] = useState("");
  return (
    <FormDialog
      title={count === 1 ? "Tag 1 pipeline" : `Tag ${count} pipelines`}
      verb="Tag"
      pending={pending}
      onSubmit={() => onTag({ action: "tag", tag: tag.trim() })}
      onClose={onClose}
    >
      <Field.Root required>
        <Field.Label>
          Tag <Field.RequiredIndicator />
        </Field.Label>
        <Input size="sm" value={tag} maxLength={100} onChange={(event) => setTag(event.target.value)} />
        <Field.HelperText>Each becomes a next version of its pipeline.</Field.HelperText>
      </Field.Root>
    </FormDialog>
  );
}

async function perform(action: Action, pipelines: string[]): Promise<Done[]> {
  if (action.action !== "run") {
    const done: Done[] = [];
    for (let at = 0; at < pipelines.length; at += MOST) {
      const body = { ...action, pipelines: pipelines.slice(at, at + MOST) };
      const { data } = await api.POST("/api/v1/pipelines/batch", { body });
      done.push(...(data ?? []));
    }
    return done;
  }
  const starts = pipelines.map((pipeline) =>
    api.POST("/api/v1/pipelines/{pipeline}/runs", {
      params: { path: { pipeline } },
      body: { params: {}, writes: false },
    }),
  );
  const results = await Promise.allSettled(starts);
  return results.map((result, at) => ({
    pipeline: pipelines[at] ?? "",
    done: result.status === "fulfilled",
    error: result.status === "fulfilled" ? null : (result.reason as Error).message,
  }));
}
