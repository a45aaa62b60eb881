import { Button, Flex, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Pause, Play, Zap } from "lucide-react";

import { api } from "src/api/client";
import { tellDone, tellFailed } from "src/kit/toaster";

type Action = "pause" | "unpause" | "run";
const DONE: Record<Action, string> = { pause: "Paused", unpause: "Resumed", run: "Started" };

/** What can be done with several pipelines at once. */
export function Selection({ chosen, onDone }: { chosen: ReadonlySet<string>; onDone: () => void }) {
  const queries = useQueryClient();
  const act = useMutation({
    mutationFn: async (action: Action) => {
      const results = await Promise.allSettled([...chosen].map((pipeline) => perform(action, pipeline)));
      const refused = results.filter((result) => result.status === "rejected");
      tellDone(`${DONE[action]} ${results.length - refused.length} of ${results.length}`);
      const [first] = refused;
      if (first !== undefined) {
        throw first.reason as Error;
      }
    },
    onError: (error) => tellFailed("Not all could be done", error),
    onSuccess: onDone,
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", "/api/v1/pipelines"] }),
  });
  return (
    <Flex role="toolbar" aria-label="Chosen pipelines" align="center" gap="2" p="2" borderRadius="md" bg="bg.muted">
      <Text flex="1">{chosen.size === 1 ? "1 pipeline chosen" : `${chosen.size} pipelines chosen`}</Text>
      <Button size="xs" variant="outline" disabled={act.isPending} onClick={() => act.mutate("run")}>
        <Zap size={14} /> Run
      </Button>
      <Button size="xs" variant="outline" disabled={act.isPending} onClick={() => act.mutate("pause")}>
        <Pause size={14} /> Pause
      </Button>
      <Button size="xs" variant="outline" disabled={act.isPending} onClick={() => act.mutate("unpause")}>
        <Play size={14} /> Resume
      </Button>
      <Button size="xs" variant="ghost" onClick={onDone}>
        Choose none
      </Button>
    </Flex>
  );
}

async function perform(action: Action, pipeline: string): Promise<void> {
  const params = { path: { pipeline } };
  if (action === "run") {
    await api.POST("/api/v1/pipelines/{pipeline}/runs", { params, body: { params: {} } });
  } else if (action === "pause") {
    await api.POST("/api/v1/pipelines/{pipeline}/pause", { params });
  } else {
    await api.POST("/api/v1/pipelines/{pipeline}/unpause", { params });
  }
}
