/** The hue of each category of node types; text beside it stays neutral. */
const HUES: Record<string, string> = {
  files: "teal",
  databases: "teal",
  messages: "teal",
  web: "teal",
  tables: "blue",
  windows: "indigo",
  control: "amber",
  objects: "slate",
  ai: "violet",
  ml: "pink",
  triggers: "orange",
};

const TITLES: Record<string, string> = { ai: "AI", ml: "Machine learning" };

/** Return the hue of a node; what writes is green, whatever its category is. */
export function categoryHue(category: string, effect?: string): string {
  return effect === "write" ? "green" : (HUES[category] ?? "slate");
}

export function categoryTitle(category: string): string {
  return TITLES[category] ?? category.charAt(0).toUpperCase() + category.slice(1);
}
