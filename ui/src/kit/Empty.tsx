import { EmptyState, VStack } from "@chakra-ui/react";
import type { ReactNode } from "react";

interface Props {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

/** Say what a place is for where it shows nothing yet, and offer the first step. */
export function Empty({ icon, title, children, action }: Props) {
  return (
    <EmptyState.Root size="sm">
      <EmptyState.Content>
        {icon !== undefined && <EmptyState.Indicator>{icon}</EmptyState.Indicator>}
        <VStack textAlign="center" maxW="lg">
          <EmptyState.Title>{title}</EmptyState.Title>
          {children !== undefined && <EmptyState.Description>{children}</EmptyState.Description>}
        </VStack>
        {action}
      </EmptyState.Content>
    </EmptyState.Root>
  );
}
