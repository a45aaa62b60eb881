import { Box, Heading, Link as Anchor, Stack, Tag, Wrap } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";

import type { PipelineDetail } from "src/api/client";
import { Facts } from "src/kit/Facts";
import { Prose } from "src/kit/Prose";
import { Time } from "src/kit/Time";
import type { PipelineDocument } from "src/model/graph";
import { scheduleText } from "src/model/schedule";

/** What a pipeline is, in words. */
export function About({ pipeline, document }: { pipeline: PipelineDetail; document: PipelineDocument }) {
  const params = Object.entries(document.params ?? {});
  return (
    <Stack gap="4">
      {document.description !== undefined && document.description !== "" && <Prose text={document.description} />}
      <Facts
        facts={[
          ["Schedule", scheduleText(document.schedule)],
          ["Next run", pipeline.paused === true ? "Paused" : <Time key="next" at={pipeline.next_run_at} />],
          ["Owner", pipeline.owner],
          [
            "Version",
            <Anchor asChild key="version">
              <Link to="/pipelines/$pipeline/versions" params={{ pipeline: pipeline.id }}>
                {pipeline.version}
              </Link>
            </Anchor>,
          ],
          [
            "Changed",
            <span key="changed">
              <Time at={pipeline.updated_at} /> by {pipeline.updated_by}
            </span>,
          ],
          ["Kept in", pipeline.path ?? "the database"],
          [
            "Tags",
            pipeline.tags.length === 0 ? null : (
              <Wrap key="tags">
                {pipeline.tags.map((tag) => (
                  <Tag.Root key={tag} size="sm">
                    <Tag.Label>{tag}</Tag.Label>
                  </Tag.Root>
                ))}
              </Wrap>
            ),
          ],
        ]}
      />
      {params.length > 0 && (
        <Box>
          <Heading as="h2" size="sm" mb="2">
            Params
          </Heading>
          <Facts facts={params.map(([name, schema]) => [name, paramText(schema)])} />
        </Box>
      )}
    </Stack>
  );
}

function paramText(schema: Record<string, unknown>): string {
  const { type, description, default: value } = schema;
  const types = Array.isArray(type) ? type.join(" or ") : typeof type === "string" ? type : "any value";
  const parts = [types, "default" in schema ? `default ${JSON.stringify(value)}` : "no default"];
  return [parts.join(", "), typeof description === "string" ? description : null].filter(Boolean).join(": ");
}
