/** A field of a node's config, in words. */
export interface ConfigField {
  name: string;
  type: string;
  required: boolean;
  default: string;
  meaning: string;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Return the fields that a JSON Schema of a config has, those that are required first. */
export function configFields(schema: Json): ConfigField[] {
  const definitions = isObject(schema["$defs"]) ? schema["$defs"] : {};
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  return Object.entries(properties)
    .filter((entry): entry is [string, Json] => isObject(entry[1]))
    .map(([name, field]) => ({
      name,
      type: typeText(field, definitions),
      required: required.includes(name),
      default: field["default"] === null || field["default"] === undefined ? "–" : JSON.stringify(field["default"]),
      meaning: typeof field["description"] === "string" ? field["description"] : "",
    }))
    .toSorted((a, b) => Number(b.required) - Number(a.required));
}

function typeText(field: Json, definitions: Json): string {
  const reference = field["$ref"];
  if (typeof reference === "string") {
    const name = reference.split("/").at(-1) ?? "";
    const definition = definitions[name];
    return isObject(definition) && definition["enum"] !== undefined ? typeText(definition, definitions) : "object";
  }
  if (Array.isArray(field["enum"])) {
    return field["enum"].map((value) => JSON.stringify(value)).join(", ");
  }
  if (field["const"] !== undefined) {
    return JSON.stringify(field["const"]);
  }
  const choices = field["anyOf"] ?? field["oneOf"];
  if (Array.isArray(choices)) {
    const texts = choices.filter(isObject).map((choice) => typeText(choice, definitions));
    return [...new Set(texts.filter((text) => text !== "null"))].join(" or ");
  }
  if (field["type"] === "array") {
    return isObject(field["items"]) ? `list of ${typeText(field["items"], definitions)}` : "list";
  }
  const names: Record<string, string> = { string: "text", integer: "whole number", boolean: "true or false" };
  const type = field["type"];
  return typeof type === "string" ? (names[type] ?? type) : "any value";
}
