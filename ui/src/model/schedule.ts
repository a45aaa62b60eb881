/** Return a document's schedule in words. */
export function scheduleText(schedule: Record<string, unknown> | undefined): string {
  if (schedule === undefined) {
    return "Only when it is started";
  }
  const zone = typeof schedule["timezone"] === "string" ? `, ${schedule["timezone"]}` : "";
  const { cron, every } = schedule;
  if (typeof every === "string") {
    return `Every ${every}`;
  }
  return typeof cron === "string" ? `${cronText(cron)}${zone}` : "By a schedule";
}

const NAMED: Record<string, string> = {
  "@hourly": "Every hour",
  "@daily": "Every day at 00:00",
  "@weekly": "Every Sunday at 00:00",
  "@monthly": "On the first of each month at 00:00",
  "@yearly": "On the first of January at 00:00",
};
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** Return the commonest forms of cron in words, and any other as it is written. */
function cronText(cron: string): string {
  const named = NAMED[cron];
  if (named !== undefined) {
    return named;
  }
  const [minute, hour, day, month, weekday] = cron.trim().split(/\s+/);
  const isNumber = (field: string | undefined): field is string => field !== undefined && /^\d+$/.test(field);
  if (isNumber(minute) && day === "*" && month === "*") {
    if (isNumber(hour)) {
      const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
      if (weekday === "*") {
        return `Every day at ${time}`;
      }
      if (weekday === "1-5") {
        return `Monday to Friday at ${time}`;
      }
      if (isNumber(weekday)) {
        return `Every ${DAYS[Number(weekday)] ?? weekday} at ${time}`;
      }
    }
    if (hour === "*" && weekday === "*") {
      return minute === "0" ? "Every hour" : `Every hour at minute ${minute}`;
    }
  }
  return `Cron ${cron}`;
}
