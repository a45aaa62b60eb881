import { createRootRoute, createRoute, createRouter, redirect } from "@tanstack/react-router";
import { lazy } from "react";

import { BASE } from "src/host/address";
import { NotHere } from "src/shell/NotHere";
import { Shell } from "src/shell/Shell";

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const number = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** Leave out what is absent, so that an address holds only what somebody chose. */
function present<Search extends object>(search: Search): Search {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as Search;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotHere });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/pipelines" }) as unknown as Error;
  },
});

const pipelinesRoute = createRoute({
  getParentRoute: () => root,
  path: "/pipelines",
  validateSearch: (
    search,
  ): { search?: string | undefined; tag?: string | undefined; show?: "archived" | "paused" | undefined } =>
    present({
      search: text(search["search"]),
      tag: text(search["tag"]),
      show: search["show"] === "archived" || search["show"] === "paused" ? search["show"] : undefined,
    }),
  component: lazy(() => import("src/features/pipelines/PipelinesPage")),
});

const PIPELINE_VIEWS = ["runs", "usage", "sharing"] as const;
type PipelineView = (typeof PIPELINE_VIEWS)[number];

export interface PipelineSearch {
  node?: string | undefined;
  view?: PipelineView | undefined;
}

const pipelineSearch = (search: Record<string, unknown>): PipelineSearch => {
  return present({
    node: text(search["node"]),
    view: PIPELINE_VIEWS.find((view) => view === search["view"]),
  });
};

const pipelineRoute = createRoute({
  getParentRoute: () => root,
  path: "/pipelines/$pipeline",
  validateSearch: pipelineSearch,
  component: lazy(() => import("src/features/pipeline/PipelinePage")),
});

const versionsRoute = createRoute({
  getParentRoute: () => root,
  path: "/pipelines/$pipeline/versions",
  validateSearch: (search): { before?: number | undefined; after?: number | undefined } =>
    present({ before: number(search["before"]), after: number(search["after"]) }),
  component: lazy(() => import("src/features/versions/VersionsPage")),
});

export interface RunSearch {
  node?: string | undefined;
  index?: string | undefined;
  tab?: "rows" | "log" | undefined;
}

const runSearch = (search: Record<string, unknown>): RunSearch =>
  present({
    node: text(search["node"]),
    index: text(search["index"]),
    tab: search["tab"] === "rows" || search["tab"] === "log" ? search["tab"] : undefined,
  });

const runRoute = createRoute({
  getParentRoute: () => root,
  path: "/pipelines/$pipeline/runs/$run",
  validateSearch: runSearch,
  component: lazy(() => import("src/features/run/RunPage")),
});

const runsRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: (search): { state?: string | undefined; search?: string | undefined } =>
    present({ state: text(search["state"]), search: text(search["search"]) }),
  component: lazy(() => import("src/features/runs/RunsPage")),
});

const catalogRoute = createRoute({
  getParentRoute: () => root,
  path: "/catalog",
  validateSearch: (search): { search?: string | undefined } => present({ search: text(search["search"]) }),
  component: lazy(() => import("src/features/catalog/CatalogPage")),
});

const nodeTypeRoute = createRoute({
  getParentRoute: () => root,
  path: "/catalog/$type",
  component: lazy(() => import("src/features/catalog/NodeTypePage")),
});

const accessRoute = createRoute({
  getParentRoute: () => root,
  path: "/access",
  component: lazy(() => import("src/features/access/AccessPage")),
});

const operationsRoute = createRoute({
  getParentRoute: () => root,
  path: "/operations",
  component: lazy(() => import("src/features/operations/OperationsPage")),
});

// The same pages as tabs on pages of Airflow's, which names them by the ids of its DAG and run.
const pipelineTabRoute = createRoute({
  getParentRoute: () => root,
  path: "/tab/pipelines/$pipeline",
  validateSearch: pipelineSearch,
  component: lazy(() => import("src/features/pipeline/PipelinePage")),
});

const runTabRoute = createRoute({
  getParentRoute: () => root,
  path: "/tab/pipelines/$pipeline/runs/$run",
  validateSearch: runSearch,
  component: lazy(() => import("src/features/run/RunPage")),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    pipelinesRoute,
    pipelineRoute,
    versionsRoute,
    runRoute,
    runsRoute,
    catalogRoute,
    nodeTypeRoute,
    accessRoute,
    operationsRoute,
    pipelineTabRoute,
    runTabRoute,
  ]),
  basepath: BASE === "" ? "/" : BASE,
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
