/** When a node was at work, as the API has it. */
export interface Entry {
  node: string;
  index: string;
  step: string | null;
  state: string;
  started_at: string | null;
  ended_at: string | null;
}

export interface Bar {
  key: string;
  entry: Entry;
  /** Shares of the whole time, from 0 to 1. */
  start: number;
  end: number;
}

export interface Step {
  name: string;
  bars: Bar[];
}

export interface TimelineOfRun {
  seconds: number;
  steps: Step[];
}

const time = (text: string): number => new Date(text).getTime();

/** Return a bar for each node that began, those of one step together, in the order in which they began, then by `order`. */
export function timelineOf(entries: Entry[], order: string[], now: Date): TimelineOfRun {
  const place = new Map(order.map((node, at) => [node, at]));
  const begun = entries
    .filter((entry): entry is Entry & { started_at: string } => entry.started_at !== null)
    .toSorted((a, b) => time(a.started_at) - time(b.started_at) || (place.get(a.node) ?? 0) - (place.get(b.node) ?? 0));
  const end = (entry: Entry) => (entry.ended_at === null ? now.getTime() : time(entry.ended_at));
  const first = Math.min(...begun.map(({ started_at: at }) => time(at)));
  const last = Math.max(...begun.map(end));
  const span = Math.max(last - first, 1);
  const steps = new Map<string, Step>();
  for (const entry of begun) {
    const name = entry.step ?? entry.node;
    const step = steps.get(name) ?? { name, bars: [] };
    steps.set(name, step);
    step.bars.push({
      key: `${entry.node} ${entry.index}`,
      entry,
      start: (time(entry.started_at) - first) / span,
      end: (end(entry) - first) / span,
    });
  }
  return { seconds: begun.length === 0 ? 0 : span / 1000, steps: [...steps.values()] };
}
