/** The parts of a JSON Schema by which a form asks for a value. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  items?: Schema;
}

export type Field =
  | { kind: "choice"; options: unknown[] }
  | { kind: "boolean" }
  | { kind: "texts" }
  | { kind: "json" }
  | { kind: "text" | "date" | "datetime-local" | "number"; whole: boolean; nullable: boolean };

/** Return how to ask for a value of a schema. */
export function fieldOf(schema: Schema): Field {
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const nullable = types.includes("null");
  const [type, ...others] = types.filter((each) => each !== "null");
  if (schema.enum !== undefined) {
    return { kind: "choice", options: schema.enum };
  }
  if (others.length > 0 || type === undefined) {
    return { kind: "json" };
  }
  switch (type) {
    case "boolean":
      return nullable ? { kind: "choice", options: [true, false, null] } : { kind: "boolean" };
    case "integer":
    case "number":
      return { kind: "number", whole: type === "integer", nullable };
    case "string":
      return { kind: textKind(schema.format), whole: false, nullable };
    case "array":
      return schema.items?.type === "string" && schema.items.enum === undefined ? { kind: "texts" } : { kind: "json" };
    default:
      return { kind: "json" };
  }
}

function textKind(format: string | undefined): "text" | "date" | "datetime-local" {
  return format === "date" ? "date" : format === "date-time" ? "datetime-local" : "text";
}

/** Return the values with which a form begins: what the schemas have as defaults, and what is given in their place. */
export function firstValues(
  schemas: Record<string, Schema>,
  given: Record<string, unknown> = {},
): Record<string, unknown> {
  const defaults = Object.entries(schemas).flatMap(([name, schema]) =>
    "default" in schema ? [[name, schema.default] as const] : [],
  );
  return { ...Object.fromEntries(defaults), ...given };
}
