import { useState } from "react";

import { ApiError } from "src/api/error";
import { Failure } from "src/kit/Failure";
import { FormDialog } from "src/kit/FormDialog";
import { firstValues, type Schema } from "src/model/schema";

import { SchemaForm } from "./SchemaForm";

interface Props {
  title: string;
  schemas: Record<string, unknown>;
  values?: Record<string, unknown> | undefined;
  pending: boolean;
  problems: Error | null;
  onRun: (values: Record<string, unknown>) => void;
  onClose: () => void;
}

/** Ask for the params of a run. */
export default function RunDialog({ title, schemas, values: given, pending, problems, onRun, onClose }: Props) {
  const typed = schemas as Record<string, Schema>;
  const [values, setValues] = useState(() => firstValues(typed, given));
  const byParam = problemsByParam(problems);
  return (
    <FormDialog title={title} verb="Run" pending={pending} onSubmit={() => onRun(values)} onClose={onClose}>
      <SchemaForm
        schemas={typed}
        values={values}
        problems={byParam}
        onChange={(name, value) => setValues((before) => ({ ...before, [name]: value }))}
      />
      {problems !== null && Object.keys(byParam).length === 0 && <Failure error={problems} />}
    </FormDialog>
  );
}

/** Return what the server says of each param; it is the judge of values. */
function problemsByParam(error: Error | null): Record<string, string> {
  if (!(error instanceof ApiError) || !Array.isArray(error.details)) {
    return {};
  }
  const problems = error.details as { pointer?: string; message?: string }[];
  return Object.fromEntries(
    problems.flatMap(({ pointer, message }) => {
      const name = pointer?.split("/").findLast((part) => part !== "" && part !== "params");
      return name === undefined || message === undefined ? [] : [[name, message]];
    }),
  );
}
