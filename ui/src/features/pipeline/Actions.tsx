import { Button } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Pause, Play, Upload } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { api, type PipelineDetail } from "src/api/client";
import { Confirm } from "src/kit/Confirm";
import { tellDone, tellFailed } from "src/kit/toaster";
import type { PipelineDocument } from "src/model/graph";

const RunDialog = lazy(() => import("src/forms/RunDialog"));

/** What can be done with a pipeline, by who may do it. */
export function Actions({ pipeline, document }: { pipeline: PipelineDetail; document: PipelineDocument }) {
  const [asking, setAsking] = useState(false);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const params = { path: { pipeline: pipeline.id } };
  const readAgain = () => queries.invalidateQueries({ queryKey: ["get"] });
  const pause = useMutation({
    mutationFn: (paused: boolean) =>
      paused
        ? api.POST("/api/v1/pipelines/{pipeline}/pause", { params })
        : api.POST("/api/v1/pipelines/{pipeline}/unpause", { params }),
    onError: (error) => tellFailed("Airflow was not told", error),
    onSettled: readAgain,
  });
  const publish = useMutation({
    mutationFn: () =>
      api.POST("/api/v1/pipelines/{pipeline}/publish", { params, body: { message: "", etag: pipeline.draft_etag } }),
    onSuccess: ({ data }) => tellDone(`Published as version ${data?.number ?? ""}`),
    onError: (error) => tellFailed("The draft was not published", error),
    onSettled: readAgain,
  });
  const run = useMutation({
    mutationFn: (values: Record<string, unknown>) =>
      api.POST("/api/v1/pipelines/{pipeline}/runs", { params, body: { params: values, writes: false } }),
    onSuccess: ({ data }) => {
      setAsking(false);
      if (data !== undefined) {
        void navigate({ to: "/pipelines/$pipeline/runs/$run", params: { pipeline: pipeline.id, run: data.run_id } });
      }
    },
    onError: (error) => tellFailed("No run was started", error),
  });
  const mayRun = pipeline.may.includes("run") && pipeline.version > 0 && !pipeline.archived;
  const hasParams = Object.keys(document.params ?? {}).length > 0;
  return (
    <>
      {pipeline.draft_etag !== null && pipeline.may.includes("publish") && (
        <Confirm
          title="Publish the draft?"
          verb="Publish"
          onConfirm={() => publish.mutate()}
          trigger={
            <Button size="sm" variant="outline" loading={publish.isPending}>
              <Upload size={14} /> Publish draft
            </Button>
          }
        >
          It becomes the next version. Runs that are at work end in theirs.
        </Confirm>
      )}
      {mayRun && (
        <>
          <Button
            size="sm"
            variant="outline"
            loading={pause.isPending}
            onClick={() => pause.mutate(pipeline.paused !== true)}
          >
            {pipeline.paused === true ? <Play size={14} /> : <Pause size={14} />}
            {pipeline.paused === true ? "Resume" : "Pause"}
          </Button>
          <Button
            size="sm"
            colorPalette="button"
            loading={run.isPending}
            onClick={() => (hasParams ? setAsking(true) : run.mutate({}))}
          >
            <Play size={14} /> Run
          </Button>
        </>
      )}
      {asking && (
        <Suspense>
          <RunDialog
            title={`Run ${pipeline.name}`}
            schemas={document.params ?? {}}
            pending={run.isPending}
            problems={run.error}
            onRun={(values) => run.mutate(values)}
            onClose={() => setAsking(false)}
          />
        </Suspense>
      )}
    </>
  );
}
