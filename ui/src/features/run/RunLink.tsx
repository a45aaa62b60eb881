import { Link as Anchor } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";

/** A run of a pipeline, by its id. */
export function RunLink({ pipeline, run }: { pipeline: string; run: string }) {
  return (
    <Anchor asChild overflowWrap="anywhere">
      <Link to="/pipelines/$pipeline/runs/$run" params={{ pipeline, run }}>
        {run}
      </Link>
    </Anchor>
  );
}
