import { Badge } from "@chakra-ui/react";
import {
  Ban,
  Check,
  CircleDashed,
  Clock,
  Hourglass,
  LoaderCircle,
  Recycle,
  SkipForward,
  X,
  type LucideIcon,
} from "lucide-react";

import { stateColour, stateWord } from "src/theme/states";

const ICONS: Record<string, LucideIcon> = {
  success: Check,
  reused: Recycle,
  failed: X,
  running: LoaderCircle,
  starting: Hourglass,
  queued: Clock,
  waiting: CircleDashed,
  skipped: SkipForward,
  not_run: Ban,
};

export function StateIcon({ state, size = 14 }: { state: string; size?: number }) {
  const Icon = ICONS[state] ?? CircleDashed;
  return <Icon size={size} aria-hidden className={state === "running" ? "airloom-turning" : undefined} />;
}

/** Show a state by word, colour and sign. */
export function StateBadge({ state, size = "sm" }: { state: string; size?: "xs" | "sm" | "md" }) {
  return (
    <Badge size={size} variant="subtle" colorPalette={stateColour(state)} borderRadius="full" px={2}>
      <StateIcon state={state} size={12} />
      {stateWord(state)}
    </Badge>
  );
}
