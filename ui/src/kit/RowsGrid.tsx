import { Box, Flex } from "@chakra-ui/react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";

import { distributionOf, type Distribution } from "src/model/distribution";

interface Column {
  name: string;
  type: string;
}

type Row = Record<string, unknown>;

const ROW_HEIGHT = 28;
const HEAD_HEIGHT = 44;
const BARS_HEIGHT = 18;
const NUMERIC = /INT|DECIMAL|DOUBLE|FLOAT|REAL|NUMERIC/;
const CHARACTER = 7.5;
const [NARROWEST, WIDEST] = [64, 280];

interface Props {
  columns: Column[];
  rows: Row[];
  height?: string;
  /** Show in the head of each column how its values are spread. */
  spread?: boolean;
}

/** Show rows of a table; only those in sight are drawn. */
export function RowsGrid({ columns, rows, height = "420px", spread = false }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- the compiler is off
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
    initialRect: { width: 400, height: 420 },
  });
  const widths = useMemo(() => columns.map((column) => widthOf(column, rows)), [columns, rows]);
  const distributions = useMemo(
    () =>
      spread
        ? columns.map(({ name, type }) =>
            distributionOf(
              rows.map((row) => row[name]),
              type,
            ),
          )
        : [],
    [columns, rows, spread],
  );
  const total = widths.reduce((sum, width) => sum + width, 0);
  const tracks = `${widths.map((width) => `${width}px`).join(" ")} 1fr`;
  return (
    <Box ref={scroller} maxH={height} overflow="auto" borderWidth="1px" borderRadius="md" tabIndex={0} fontSize="12px">
      <Box role="table" aria-label="Rows" aria-rowcount={rows.length + 1} minW="100%" style={{ width: total }}>
        <Box role="rowgroup" position="sticky" top="0" zIndex="1" bg="bg.subtle" borderBottomWidth="1px">
          <Box
            role="row"
            display="grid"
            gridTemplateColumns={tracks}
            h={`${HEAD_HEIGHT + (spread ? BARS_HEIGHT : 0)}px`}
          >
            {columns.map(({ name, type }, at) => (
              <Box role="columnheader" key={name} px="2" py="1.5" minW="0" title={`${name}, ${type}`}>
                <Box fontWeight="semibold" truncate>
                  {name}
                </Box>
                <Box color="fg.muted" fontSize="10px" truncate>
                  {type}
                </Box>
                {distributions[at] !== undefined && <Bars distribution={distributions[at]} rows={rows.length} />}
              </Box>
            ))}
          </Box>
        </Box>
        <Box role="rowgroup" position="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => (
            <Box
              role="row"
              key={index}
              aria-rowindex={index + 2}
              display="grid"
              gridTemplateColumns={tracks}
              alignItems="center"
              position="absolute"
              insetX="0"
              h={`${ROW_HEIGHT}px`}
              borderBottomWidth="1px"
              style={{ transform: `translateY(${start}px)` }}
            >
              {columns.map(({ name, type }) => (
                <Cell key={name} value={rows[index]?.[name]} numeric={NUMERIC.test(type)} />
              ))}
            </Box>
          ))}
        </Box>
      </Box>
    </Box>
  );
}

function Bars({ distribution: { bars, words }, rows }: { distribution: Distribution; rows: number }) {
  const text = `${words}, in the ${rows} rows shown`;
  return (
    <Flex role="img" aria-label={text} title={text} align="end" gap="1px" h={`${BARS_HEIGHT}px`} maxW="96px">
      {bars.map((height, at) => (
        <Box key={at} flex="1" bg="blue.muted" style={{ height: `${height === 0 ? 0 : Math.max(height * 100, 8)}%` }} />
      ))}
    </Flex>
  );
}

function Cell({ value, numeric }: { value: unknown; numeric: boolean }) {
  const isNull = value === null || value === undefined;
  const text = isNull ? "null" : textOf(value);
  return (
    <Box
      role="cell"
      px="2"
      truncate
      title={text}
      textAlign={numeric ? "end" : "start"}
      color={isNull ? "fg.muted" : undefined}
      fontStyle={isNull ? "italic" : undefined}
      fontVariantNumeric="tabular-nums"
    >
      {text}
    </Box>
  );
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function widthOf({ name, type }: Column, rows: Row[]): number {
  const longest = rows.slice(0, 50).reduce((most, row) => Math.max(most, textOf(row[name] ?? "").length), 0);
  const characters = Math.max(name.length, type.length * 0.8, longest);
  return Math.min(Math.max(characters * CHARACTER + 18, NARROWEST), WIDEST);
}
