import { Flex, Heading, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** The title of a page with what can be done on it. */
export function PageHead({ title, about, children }: { title: ReactNode; about?: ReactNode; children?: ReactNode }) {
  return (
    <Flex align="center" gap="4" px="4" pt="3" pb="3" minH="56px" wrap="wrap">
      <Flex direction="column" flex="1" minW="200px">
        <Heading as="h1" size="lg" truncate>
          {title}
        </Heading>
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
