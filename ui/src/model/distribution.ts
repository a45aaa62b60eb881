/** How the values of a column are spread, as far as rows are shown. */
export interface Distribution {
  /** Heights of bars, the highest 1: of equal ranges of numbers and times, else of the most frequent values. */
  bars: number[];
  /** The same in words. */
  words: string;
}

const BARS = 12;
const NUMBER = /INT|DECIMAL|DOUBLE|FLOAT|REAL|NUMERIC/;
const TIME = /^(DATE|TIMESTAMP)/;

/** Return how values of a column type are spread; without bars where they would say nothing. */
export function distributionOf(values: unknown[], type: string): Distribution {
  const present = values.filter((value) => value !== null && value !== undefined);
  const counts = new Map<string, number>();
  for (const value of present) {
    const text = textOf(value);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const numbers = NUMBER.test(type)
    ? present.map(Number)
    : TIME.test(type)
      ? present.map((value) => Date.parse(textOf(value)))
      : [];
  const isOrdered = numbers.length > 0 && numbers.every(Number.isFinite);
  const words = [
    counts.size === 1 ? "1 value" : `${counts.size} different values`,
    values.length === present.length ? null : `${values.length - present.length} null`,
    isOrdered ? rangeText(present, numbers) : null,
  ];
  return {
    bars: isOrdered ? histogram(numbers) : frequencies(counts, present.length),
    words: words.filter((word) => word !== null).join(", "),
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function rangeText(values: unknown[], numbers: number[]): string {
  const at = (wanted: number) => textOf(values[numbers.indexOf(wanted)]);
  return `from ${at(Math.min(...numbers))} to ${at(Math.max(...numbers))}`;
}

function histogram(numbers: number[]): number[] {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  if (least === most) {
    return [];
  }
  const counts = Array.from({ length: BARS }, () => 0);
  for (const number of numbers) {
    const bar = Math.min(BARS - 1, Math.floor(((number - least) / (most - least)) * BARS));
    counts[bar] = (counts[bar] ?? 0) + 1;
  }
  return scaled(counts);
}

function frequencies(counts: Map<string, number>, total: number): number[] {
  const sorted = [...counts.values()].toSorted((first, second) => second - first);
  return sorted.length < 2 || sorted.length === total ? [] : scaled(sorted.slice(0, BARS));
}

function scaled(counts: number[]): number[] {
  const most = Math.max(...counts);
  return counts.map((count) => count / most);
}
