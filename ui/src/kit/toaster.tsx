import { createToaster, Portal, Stack, Toast, Toaster } from "@chakra-ui/react";

/** Short messages about what the person has just done. */
export const toaster = createToaster({ placement: "bottom-end", pauseOnPageIdle: true });

export function Toasts() {
  return (
    <Portal>
      <Toaster toaster={toaster} insetInline={{ mdDown: "4" }}>
        {(toast) => (
          <Toast.Root width={{ md: "sm" }}>
            <Toast.Indicator />
            <Stack gap="1" flex="1" maxWidth="100%">
              {toast.title !== undefined && <Toast.Title>{toast.title}</Toast.Title>}
              {toast.description !== undefined && <Toast.Description>{toast.description}</Toast.Description>}
            </Stack>
            {toast.action !== undefined && <Toast.ActionTrigger>{toast.action.label}</Toast.ActionTrigger>}
            <Toast.CloseTrigger aria-label="Close" />
          </Toast.Root>
        )}
      </Toaster>
    </Portal>
  );
}

export const tellDone = (title: string): void => void toaster.create({ type: "success", title });
export const tellFailed = (title: string, error: Error): void =>
  void toaster.create({ type: "error", title, description: error.message, duration: 12_000 });
