import { describe, expect, it } from "vitest";

import { labelPlace, roundedPath } from "./Wire";

const corner = [
  { x: 0, y: 0 },
  { x: 10, y: 0 },
  { x: 10, y: 100 },
];

describe("roundedPath", () => {
  it("goes through its points, with the corners rounded", () => {
    expect(roundedPath(corner)).toBe("M0,0L5,0Q10,0 10,6L10,100");
  });

  it("is empty without points", () => {
    expect(roundedPath([])).toBe("");
  });
});

describe("labelPlace", () => {
  it("is the middle of the longest part", () => {
    expect(labelPlace(corner)).toEqual({ x: 10, y: 50 });
  });
});
