import { Box, Skeleton } from "@chakra-ui/react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, type ReactNode } from "react";

export interface Column<Row> {
  name: string;
  header: ReactNode;
  /** A track of a CSS grid, such as `2fr` or `120px`. */
  width: string;
  cell: (row: Row) => ReactNode;
  align?: "end";
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  rowHeight?: number;
  /** Show rows of the shape of what comes. */
  loading?: boolean;
  /** Called when the end of the rows comes into sight. */
  onEnd?: (() => void) | undefined;
  empty: ReactNode;
  selected?: (row: Row) => boolean;
}

const SKELETONS = 8;

/** Show a long list in a table of which only what is in sight is drawn. */
export function DataTable<Row>(props: Props<Row>) {
  const { label, columns, rows, rowKey, rowHeight = 48, loading = false, onEnd, empty, selected } = props;
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- the compiler is off
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 8,
    initialRect: { width: 1000, height: 900 },
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? -1;
  useEffect(() => {
    if (onEnd !== undefined && rows.length > 0 && last >= rows.length - 5) {
      onEnd();
    }
  }, [last, rows.length, onEnd]);
  const tracks = columns.map(({ width }) => width).join(" ");
  const line = { display: "grid", gridTemplateColumns: tracks, alignItems: "center", columnGap: 4, px: 4 } as const;
  return (
    <Box ref={scroller} overflow="auto" flex="1" minH="0" tabIndex={-1} borderWidth="1px" borderRadius="md">
      <Box role="table" aria-label={label} aria-rowcount={rows.length + 1} minW="720px">
        <Box role="rowgroup" position="sticky" top="0" zIndex="1" bg="bg.subtle" borderBottomWidth="1px">
          <Box role="row" {...line} h="36px" fontWeight="semibold" fontSize="xs" color="fg.muted">
            {columns.map((column) => (
              <Box role="columnheader" key={column.name} textAlign={column.align ?? "start"}>
                {column.header}
              </Box>
            ))}
          </Box>
        </Box>
        {loading && rows.length === 0 ? (
          <SkeletonRows columns={columns.length} height={rowHeight} line={line} />
        ) : rows.length === 0 ? (
          <Box role="rowgroup">
            <Box role="row">
              <Box role="cell" py="8">
                {empty}
              </Box>
            </Box>
          </Box>
        ) : (
          <Box role="rowgroup" position="relative" style={{ height: virtual.getTotalSize() }}>
            {shown.map(({ index, start }) => {
              const row = rows[index];
              return row === undefined ? null : (
                <Box
                  role="row"
                  key={rowKey(row)}
                  aria-rowindex={index + 2}
                  {...line}
                  position="absolute"
                  insetX="0"
                  h={`${rowHeight}px`}
                  borderBottomWidth="1px"
                  bg={selected?.(row) === true ? "bg.muted" : undefined}
                  _hover={{ bg: "bg.subtle" }}
                  style={{ transform: `translateY(${start}px)` }}
                >
                  {columns.map((column) => (
                    <Box role="cell" key={column.name} minW="0" textAlign={column.align ?? "start"}>
                      {column.cell(row)}
                    </Box>
                  ))}
                </Box>
              );
            })}
          </Box>
        )}
      </Box>
    </Box>
  );
}

function SkeletonRows({ columns, height, line }: { columns: number; height: number; line: object }) {
  return (
    <Box role="rowgroup" aria-busy>
      {Array.from({ length: SKELETONS }, (_, row) => (
        <Box role="row" key={row} {...line} h={`${height}px`} borderBottomWidth="1px">
          {Array.from({ length: columns }, (_, column) => (
            <Box role="cell" key={column}>
              <Skeleton height="14px" width={column === 0 ? "70%" : "50%"} />
            </Box>
          ))}
        </Box>
      ))}
    </Box>
  );
}
