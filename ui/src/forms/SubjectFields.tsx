import { Field, Input, NativeSelect, Stack } from "@chakra-ui/react";

/** Whom something is granted to. */
export interface Subject {
  kind: "user" | "role";
  name: string;
}

export const NOBODY: Subject = { kind: "user", name: "" };

/** Ask for a user or a role by name. */
export function SubjectFields({ value, onChange }: { value: Subject; onChange: (value: Subject) => void }) {
  return (
    <Stack direction="row" gap="2">
      <Field.Root w="110px" flexShrink="0">
        <Field.Label>To</Field.Label>
        <NativeSelect.Root size="sm">
          <NativeSelect.Field
            value={value.kind}
            onChange={(event) => onChange({ ...value, kind: event.target.value as Subject["kind"] })}
          >
            <option value="user">User</option>
            <option value="role">Role</option>
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      </Field.Root>
      <Field.Root required>
        <Field.Label>
          {value.kind === "user" ? "User name" : "Role"} <Field.RequiredIndicator />
        </Field.Label>
        <Input
          size="sm"
          value={value.name}
          maxLength={250}
          onChange={(event) => onChange({ ...value, name: event.target.value.trimStart() })}
        />
      </Field.Root>
    </Stack>
  );
}
