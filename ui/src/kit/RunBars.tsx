import { Box, Flex } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { durationText } from "./numbers";
import { exactTime } from "./Time";
import { stateColour, stateWord } from "src/theme/states";

interface Run {
  run_id: string;
  state: string;
  seconds: number | null;
  queued_at: string;
}

const HEIGHT = 28;
const LEAST = 5;

const words = ({ state, seconds, queued_at: at }: Run): string =>
  [stateWord(state), seconds === null ? null : durationText(seconds), exactTime(new Date(at))]
    .filter((part) => part !== null)
    .join(", ");

interface Props<Item extends Run> {
  runs: Item[];
  /** Wraps the bar of a run in a link to it. */
  link: (run: Item, bar: ReactNode) => ReactNode;
}

/** Show the newest runs as bars: the height is how long one took, the colour its state. */
export function RunBars<Item extends Run>({ runs, link }: Props<Item>) {
  const longest = Math.max(...runs.map(({ seconds }) => seconds ?? 0), 0.001);
  return (
    <Flex align="end" gap="2px" h={`${HEIGHT}px`}>
      {runs.map((run) => {
        const height = LEAST + ((run.seconds ?? 0) / longest) * (HEIGHT - LEAST);
        const bar = (
          <Flex align="end" h={`${HEIGHT}px`} title={words(run)}>
            <Box
              w="7px"
              h={`${height}px`}
              borderRadius="2px"
              bg={`${stateColour(run.state)}.solid`}
              // Failed runs differ by more than their colour.
              outline={run.state === "failed" ? "1px dashed" : undefined}
              outlineColor="fg"
            />
            <Box srOnly>{words(run)}</Box>
          </Flex>
        );
        return (
          <Box key={run.run_id} lineHeight="0">
            {link(run, bar)}
          </Box>
        );
      })}
    </Flex>
  );
}
