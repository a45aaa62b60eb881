import { Flex, Heading, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

interface Props {
  title: string;
  icon?: ReactNode;
  /** What stands behind the title, such as a state. */
  badges?: ReactNode;
  about?: ReactNode;
  children?: ReactNode;
}

/** The title of a page with what can be done on it. */
export function PageHead({ title, icon, badges, about, children }: Props) {
  return (
    <Flex align="center" gap="4" px="4" pt="3" pb="3" minH="56px" wrap="wrap">
      <Flex direction="column" flex="1 1 320px" minW="0">
        <Flex align="center" gap="2" minW="0">
          {icon}
          <Heading as="h1" size="lg" truncate title={title}>
            {title}
          </Heading>
          {badges}
        </Flex>
        {about !== undefined && (
          <Text color="fg.muted" fontSize="xs" truncate>
            {about}
          </Text>
        )}
      </Flex>
      {children}
    </Flex>
  );
}
