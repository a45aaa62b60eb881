import type { GraphMarks } from "./marks";

interface Report {
  node: string;
  index: string;
  state: string;
  rows: number | null;
  seconds: number | null;
  started_at: string | null;
}

/**
 * Return what a run says on the cards of its nodes.
 *
 * Nodes of one step share its task, whose seconds are those of none of them.
 */
export function runMarks(reports: Report[]): GraphMarks["runs"] {
  const whole = reports.filter(({ index }) => index === "");
  const begun = new Map<string, number>();
  for (const { started_at: at } of whole) {
    if (at !== null) {
      begun.set(at, (begun.get(at) ?? 0) + 1);
    }
  }
  return Object.fromEntries(
    whole.map((report) => {
      const alone = report.started_at === null || begun.get(report.started_at) === 1;
      return [report.node, { state: report.state, rows: report.rows, seconds: alone ? report.seconds : null }];
    }),
  );
}
