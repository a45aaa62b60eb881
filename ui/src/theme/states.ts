/** The colour of each state of a run or of a node, by the names that the API has for them. */
const COLOURS: Record<string, string> = {
  success: "success",
  reused: "success",
  failed: "failed",
  running: "running",
  starting: "queued",
  queued: "queued",
  waiting: "waiting",
  skipped: "skipped",
  not_run: "waiting",
};

const WORDS: Record<string, string> = {
  success: "Success",
  reused: "Reused",
  failed: "Failed",
  running: "Running",
  starting: "Starting",
  queued: "Queued",
  waiting: "Waiting",
  skipped: "Skipped",
  not_run: "Not run",
};

export const stateColour = (state: string): string => COLOURS[state] ?? "waiting";
export const stateWord = (state: string): string => WORDS[state] ?? state;
export const isActive = (state: string): boolean => ["starting", "queued", "running"].includes(state);
