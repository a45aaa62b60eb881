import { Field, Input, NativeSelect, Stack, Switch, TagsInput, Textarea } from "@chakra-ui/react";
import { useId } from "react";

import { fieldOf, type Schema } from "src/model/schema";

interface Props {
  schemas: Record<string, Schema>;
  values: Record<string, unknown>;
  problems: Record<string, string>;
  onChange: (name: string, value: unknown) => void;
}

/** Ask for values by their JSON Schemas: a field for each, by its type. */
export function SchemaForm({ schemas, values, problems, onChange }: Props) {
  return (
    <Stack gap="4">
      {Object.entries(schemas).map(([name, schema]) => (
        <SchemaField
          key={name}
          name={name}
          schema={schema}
          value={values[name]}
          problem={problems[name]}
          onChange={(value) => onChange(name, value)}
        />
      ))}
    </Stack>
  );
}

interface FieldProps {
  name: string;
  schema: Schema;
  value: unknown;
  problem: string | undefined;
  onChange: (value: unknown) => void;
}

function SchemaField({ name, schema, value, problem, onChange }: FieldProps) {
  const id = useId();
  return (
    <Field.Root invalid={problem !== undefined} required={!("default" in schema)} ids={{ control: id }}>
      <Field.Label>
        {schema.title ?? name} <Field.RequiredIndicator />
      </Field.Label>
      <Widget id={id} schema={schema} value={value} onChange={onChange} />
      {schema.description !== undefined && <Field.HelperText>{schema.description}</Field.HelperText>}
      {problem !== undefined && <Field.ErrorText>{problem}</Field.ErrorText>}
    </Field.Root>
  );
}

interface WidgetProps {
  id: string;
  schema: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
}

function Widget({ id, schema, value, onChange }: WidgetProps) {
  const field = fieldOf(schema);
  switch (field.kind) {
    case "choice":
      return (
        <NativeSelect.Root>
          <NativeSelect.Field
            id={id}
            value={JSON.stringify(value)}
            onChange={(event) => onChange(JSON.parse(event.target.value))}
          >
            {value === undefined && <option value="">Choose</option>}
            {field.options.map((option) => (
              <option key={JSON.stringify(option)} value={JSON.stringify(option)}>
                {String(option)}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      );
    case "boolean":
      return (
        <Switch.Root
          ids={{ hiddenInput: id }}
          checked={value === true}
          onCheckedChange={({ checked }) => onChange(checked)}
        >
          <Switch.HiddenInput />
          <Switch.Control />
        </Switch.Root>
      );
    case "texts":
      return (
        <TagsInput.Root
          ids={{ input: id }}
          addOnPaste
          blurBehavior="add"
          value={Array.isArray(value) ? value.map(String) : []}
          onValueChange={({ value: texts }) => onChange(texts)}
        >
          <TagsInput.Control>
            <TagsInput.Items />
            <TagsInput.Input placeholder="Type, then Enter" />
          </TagsInput.Control>
        </TagsInput.Root>
      );
    case "json":
      return <JsonWidget id={id} value={value} onChange={onChange} />;
    default:
      return (
        <Input
          id={id}
          type={field.kind}
          step={field.kind === "number" ? (field.whole ? 1 : "any") : undefined}
          value={typeof value === "string" || typeof value === "number" ? value : ""}
          onChange={(event) => onChange(read(event.target.value, field.kind, field.nullable))}
        />
      );
  }
}

function read(text: string, kind: string, nullable: boolean): unknown {
  if (text === "" && (nullable || kind !== "text")) {
    return nullable ? null : undefined;
  }
  return kind === "number" ? Number(text) : text;
}

function JsonWidget({ id, value, onChange }: { id: string; value: unknown; onChange: (value: unknown) => void }) {
  return (
    <Textarea
      id={id}
      fontFamily="mono"
      rows={4}
      defaultValue={value === undefined ? "" : JSON.stringify(value, null, 2)}
      onChange={(event) => {
        try {
          onChange(JSON.parse(event.target.value));
        } catch {
          // What is half typed is handed on as text, which the server refuses with its place.
          onChange(event.target.value);
        }
      }}
    />
  );
}
