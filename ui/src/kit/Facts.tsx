import { DataList } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** Show names with their values; what has no value is left out. */
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  const present = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return (
    <DataList.Root orientation="horizontal" size="sm" gap="2">
      {present.map(([name, value]) => (
        <DataList.Item key={name} alignItems="start">
          <DataList.ItemLabel minW="84px">{name}</DataList.ItemLabel>
          <DataList.ItemValue minW="0" overflowWrap="anywhere">
            {value}
          </DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList.Root>
  );
}
