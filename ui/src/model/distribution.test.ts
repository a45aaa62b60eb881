import { expect, it } from "vitest";

import { distributionOf } from "./distribution";

it("counts numbers by equal ranges, and tells nulls apart", () => {
  const { bars, words } = distributionOf([0, 1, 2, 12, null, "12"], "DECIMAL(18,2)");
  expect(bars).toHaveLength(12);
  expect(bars.at(0)).toBe(0.5);
  expect(bars.at(-1)).toBe(1);
  expect(words).toBe("4 different values, 1 null, from 0 to 12");
});

it("counts times as numbers", () => {
  const { bars, words } = distributionOf(["2026-01-01", "2026-01-13"], "DATE");
  expect(bars.filter((bar) => bar > 0)).toEqual([1, 1]);
  expect(words).toBe("2 different values, from 2026-01-01 to 2026-01-13");
});

it("counts other values by how often each is there", () => {
  expect(distributionOf(["a", "b", "a", "a", null], "VARCHAR").bars).toEqual([1, 1 / 3]);
});

it("draws no bars that say nothing", () => {
  expect(distributionOf(["a", "b"], "VARCHAR").bars).toEqual([]);
  expect(distributionOf([3, 3], "INTEGER")).toEqual({ bars: [], words: "1 value, from 3 to 3" });
  expect(distributionOf([null, null], "INTEGER")).toEqual({ bars: [], words: "0 different values, 2 null" });
});
