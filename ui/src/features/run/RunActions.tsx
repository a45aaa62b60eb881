import { Button } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CircleStop, RotateCcw, RotateCw } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { $api, api, type RunDetail } from "src/api/client";
import { Confirm } from "src/kit/Confirm";
import { tellDone, tellFailed } from "src/kit/toaster";
import type { PipelineDocument } from "src/model/graph";
import { isActive } from "src/theme/states";

const RunDialog = lazy(() => import("src/forms/RunDialog"));

/** What can be done with a run, by who may do it. */
export function RunActions({ run, document }: { run: RunDetail; document: PipelineDocument | undefined }) {
  const { pipeline, run_id: id } = run;
  const [asking, setAsking] = useState(false);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const detail = $api.useQuery("get", "/api/v1/pipelines/{pipeline}", { params: { path: { pipeline } } });
  const params = { path: { pipeline, run_id: id } };
  const readAgain = () => queries.invalidateQueries({ queryKey: ["get"] });
  const cancel = useMutation({
    mutationFn: () => api.POST("/api/v1/pipelines/{pipeline}/runs/{run_id}/cancel", { params }),
    onSuccess: () => tellDone("The run is being cancelled"),
    onError: (error) => tellFailed("The run was not cancelled", error),
    onSettled: readAgain,
  });
  const retry = useMutation({
    mutationFn: () => api.POST("/api/v1/pipelines/{pipeline}/runs/{run_id}/retry", { params }),
    onSuccess: () => tellDone("What failed runs again; what ended well stays"),
    onError: (error) => tellFailed("The run was not retried", error),
    onSettled: readAgain,
  });
  const rerun = useMutation({
    mutationFn: (values: Record<string, unknown>) =>
      api.POST("/api/v1/pipelines/{pipeline}/runs/{run_id}/rerun", { params, body: { params: values } }),
    onSuccess: ({ data }) => {
      setAsking(false);
      if (data !== undefined) {
        void navigate({ to: "/pipelines/$pipeline/runs/$run", params: { pipeline, run: data.run_id } });
      }
    },
    onError: (error) => tellFailed("No run was started", error),
  });
  if (detail.data?.may.includes("run") !== true) {
    return null;
  }
  const schemas = document?.params ?? {};
  return (
    <>
      {isActive(run.state) ? (
        <Confirm
          danger
          title="Cancel this run?"
          verb="Cancel the run"
          onConfirm={() => cancel.mutate()}
          trigger={
            <Button size="sm" variant="outline" colorPalette="danger" loading={cancel.isPending}>
              <CircleStop size={14} /> Cancel
            </Button>
          }
        >
          Tasks at work stop within seconds, those that wait are skipped. What is written already stays written.
        </Confirm>
      ) : (
        <>
          {run.state === "failed" && (
            <Button size="sm" variant="outline" loading={retry.isPending} onClick={() => retry.mutate()}>
              <RotateCcw size={14} /> Retry from failed
            </Button>
          )}
          <Button
            size="sm"
            variant="outline"
            loading={rerun.isPending}
            onClick={() => (Object.keys(schemas).length > 0 ? setAsking(true) : rerun.mutate({}))}
          >
            <RotateCw size={14} /> Run again
          </Button>
        </>
      )}
      {asking && (
        <Suspense>
          <RunDialog
            title="Run again, by the current version"
            schemas={schemas}
            values={run.params ?? {}}
            pending={rerun.isPending}
            problems={rerun.error}
            onRun={(values) => rerun.mutate(values)}
            onClose={() => setAsking(false)}
          />
        </Suspense>
      )}
    </>
  );
}
