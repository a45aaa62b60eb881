import { Button, CloseButton, Dialog, Portal } from "@chakra-ui/react";
import type { ReactElement, ReactNode } from "react";

interface Props {
  trigger: ReactElement;
  title: string;
  /** What it does, and what it destroys. */
  children: ReactNode;
  verb: string;
  danger?: boolean;
  onConfirm: () => void;
}

/** Ask before something that cannot be undone; a frame's sandbox has no `confirm`. */
export function Confirm({ trigger, title, children, verb, danger = false, onConfirm }: Props) {
  return (
    <Dialog.Root role="alertdialog" placement="center" lazyMount unmountOnExit>
      <Dialog.Trigger asChild>{trigger}</Dialog.Trigger>
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner>
          <Dialog.Content>
            <Dialog.Header>
              <Dialog.Title>{title}</Dialog.Title>
            </Dialog.Header>
            <Dialog.Body>{children}</Dialog.Body>
            <Dialog.Footer>
              <Dialog.ActionTrigger asChild>
                <Button variant="outline">Cancel</Button>
              </Dialog.ActionTrigger>
              <Dialog.ActionTrigger asChild>
                <Button colorPalette={danger ? "danger" : "button"} onClick={onConfirm}>
                  {verb}
                </Button>
              </Dialog.ActionTrigger>
            </Dialog.Footer>
            <Dialog.CloseTrigger asChild>
              <CloseButton size="sm" />
            </Dialog.CloseTrigger>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
}
