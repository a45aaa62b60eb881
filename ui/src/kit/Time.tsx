import { useEffect, useState } from "react";

const MINUTE = 60;
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 24 * 3600],
  ["month", 30 * 24 * 3600],
  ["day", 24 * 3600],
  ["hour", 3600],
  ["minute", MINUTE],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** Return a moment as seen from another one, such as "2 hours ago". */
export function relativeTime(at: Date, now: Date): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) {
      return relative.format(Math.trunc(seconds / size), unit);
    }
  }
  return seconds > 0 ? "in a moment" : "just now";
}

export function exactTime(at: Date): string {
  return at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

/** Show a moment as seen from now; the exact one is its tooltip. */
export function Time({ at, empty = "–" }: { at: string | null | undefined; empty?: string }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(new Date()), (MINUTE / 2) * 1000);
    return () => window.clearInterval(timer);
  }, []);
  if (at === null || at === undefined) {
    return <>{empty}</>;
  }
  const moment = new Date(at);
  return (
    <time dateTime={at} title={exactTime(moment)}>
      {relativeTime(moment, now)}
    </time>
  );
}
