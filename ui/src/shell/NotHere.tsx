import { Button } from "@chakra-ui/react";
import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";

import { Empty } from "src/kit/Empty";

/** Stand where an address leads to no page. */
export function NotHere() {
  return (
    <Empty
      icon={<Compass />}
      title="There is no page at this address"
      action={
        <Button asChild variant="outline">
          <Link to="/pipelines">Show the pipelines</Link>
        </Button>
      }
    >
      It may be misspelt, or of another version of Airloom.
    </Empty>
  );
}
