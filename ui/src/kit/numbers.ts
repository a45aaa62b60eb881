const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const countText = (count: number): string => whole.format(count);
export const shortCount = (count: number): string => (count < 10_000 ? whole.format(count) : compact.format(count));

/** Return a length of time such as `0.4 s`, `2 min 5 s`, `3 h 10 min`. */
export function durationText(seconds: number): string {
  if (seconds < 10) {
    return `${seconds < 0.05 ? "0" : seconds.toFixed(1)} s`;
  }
  const total = Math.round(seconds);
  if (total < 60) {
    return `${total} s`;
  }
  const [minutes, rest] = [Math.floor(total / 60), total % 60];
  if (minutes < 60) {
    return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`;
  }
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [size, at] = [bytes, 0];
  while (size >= 1000 && at < units.length - 1) {
    size /= 1000;
    at += 1;
  }
  return `${at === 0 ? size : size.toFixed(size < 10 ? 1 : 0)} ${units[at] ?? ""}`;
}
