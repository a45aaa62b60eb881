import { Alert, Button } from "@chakra-ui/react";

export interface Described {
  message: string;
  status?: number;
  correlation_id?: string | null;
}

const TITLES: Record<number, string> = {
  0: "The server does not answer",
  403: "You have no right to this",
  404: "This is not here",
  410: "This is not kept any more",
};

/** Say that something could not be shown or done, why, and what to do. */
export function Failure({ error, retry }: { error: Described; retry?: (() => void) | undefined }) {
  const status = error.status ?? -1;
  const mayPass = retry !== undefined && (status === 0 || status === 429 || status >= 500 || status === -1);
  return (
    <Alert.Root status={status === 403 || status === 410 ? "warning" : "error"} variant="surface" role="alert">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{TITLES[status] ?? "That did not work"}</Alert.Title>
        <Alert.Description>
          {error.message}
          {error.correlation_id != null && status >= 500 && ` The server's log has more under ${error.correlation_id}.`}
        </Alert.Description>
      </Alert.Content>
      {mayPass && (
        <Button size="xs" variant="outline" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert.Root>
  );
}
