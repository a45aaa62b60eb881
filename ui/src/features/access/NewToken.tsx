import { Button, Checkbox, CheckboxGroup, Clipboard, Field, Fieldset, Input, Stack, Text } from "@chakra-ui/react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "src/api/client";
import { Failure } from "src/kit/Failure";
import { FormDialog } from "src/kit/FormDialog";

const SCOPES = {
  read: "Read pipelines, runs and rows",
  run: "Start, cancel and retry runs",
  edit: "Save drafts",
  publish: "Publish and roll back",
  approve: "Answer what waits for a person",
  admin: "Administer Airloom",
} as const;
type Scope = keyof typeof SCOPES;

/** Make a service token, and show its text this once. */
export function NewToken({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["read"]);
  const [pipelines, setPipelines] = useState("");
  const make = useMutation({
    mutationFn: async () => {
      const ids = pipelines.split(/[\s,]+/).filter((id) => id !== "");
      const { data } = await api.POST("/api/v1/tokens", {
        body: { name, scopes, ...(ids.length > 0 ? { pipelines: ids } : {}) },
      });
      return data?.token ?? "";
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", "/api/v1/tokens"] }),
  });
  return (
    <FormDialog
      title={make.data === undefined ? "Make a service token" : "Copy the token now"}
      verb={make.data === undefined ? "Make" : undefined}
      pending={make.isPending}
      disabled={scopes.length === 0}
      onSubmit={() => make.mutate()}
      onClose={onClose}
    >
      {make.data === undefined ? (
        <Stack gap="4">
          <Field.Root required>
            <Field.Label>
              What it is for <Field.RequiredIndicator />
            </Field.Label>
            <Input value={name} maxLength={200} onChange={(event) => setName(event.target.value)} />
          </Field.Root>
          <Fieldset.Root>
            <Fieldset.Legend>What it may do, as far as you may yourself</Fieldset.Legend>
            <CheckboxGroup value={scopes} onValueChange={(value) => setScopes(value as Scope[])}>
              {Object.entries(SCOPES).map(([scope, words]) => (
                <Checkbox.Root key={scope} value={scope} size="sm">
                  <Checkbox.HiddenInput />
                  <Checkbox.Control />
                  <Checkbox.Label>{words}</Checkbox.Label>
                </Checkbox.Root>
              ))}
            </CheckboxGroup>
          </Fieldset.Root>
          <Field.Root>
            <Field.Label>Only for these pipelines</Field.Label>
            <Input
              value={pipelines}
              placeholder="Ids with commas between; empty for all"
              onChange={(event) => setPipelines(event.target.value)}
            />
          </Field.Root>
          {make.error !== null && <Failure error={make.error} />}
        </Stack>
      ) : (
        <Stack gap="3">
          <Text>It cannot be shown again. Send it as Bearer token, or in the header X-API-Key.</Text>
          <Clipboard.Root value={make.data}>
            <Stack direction="row">
              <Input
                readOnly
                fontFamily="mono"
                aria-label="The token"
                value={make.data}
                onFocus={(event) => event.target.select()}
              />
              <Clipboard.Trigger asChild>
                <Button size="sm" variant="outline">
                  <Clipboard.Indicator /> Copy
                </Button>
              </Clipboard.Trigger>
            </Stack>
          </Clipboard.Root>
        </Stack>
      )}
    </FormDialog>
  );
}
