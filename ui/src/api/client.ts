import createClient, { type Middleware } from "openapi-fetch";
import createQueries from "openapi-react-query";

import { ApiError, errorOf } from "src/api/error";
import type { components, paths } from "src/api/schema";

type Schemas = components["schemas"];

export type PipelineSummary = Schemas["PipelineSummary"];
export type PipelineDetail = Schemas["PipelineDetail"];
export type RunSummary = Schemas["RunSummary"];
export type RunDetail = Schemas["RunDetail"];
export type NodeReport = Schemas["NodeReport"];
export type NodePart = Schemas["NodePart"];
export type NodeOutput = Schemas["NodeOutput"];
export type NodeTypeSummary = Schemas["NodeTypeSummary"];
export type NodeTypeDetail = Schemas["NodeTypeDetail"];
export type TimelineEntry = Schemas["TimelineEntry"];
export type VersionSummary = Schemas["VersionSummary"];
export type Change = Schemas["Change"];
export type Me = Schemas["Me"];

const raiseErrors: Middleware = {
  async onResponse({ response, schemaPath }) {
    // What is wrong with the service is the answer to this question.
    if (!response.ok && !(response.status === 503 && schemaPath === "/api/v1/health/ready")) {
      throw await errorOf(response);
    }
  },
  onError({ error }) {
    return error instanceof ApiError ? error : new ApiError(0, "UNREACHABLE", "the server does not answer");
  },
};

/** The API, typed by its own description; raises ApiError. */
export const api = createClient<paths>({
  baseUrl: new URL(document.baseURI).pathname.replace(/\/$/, ""),
  credentials: "same-origin",
});
api.use(raiseErrors);

/** The same as queries: `$api.useQuery("get", "/api/v1/pipelines", {...})`. */
export const $api = createQueries(api);
