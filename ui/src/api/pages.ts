import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/** Read a list page by page; `path` and `options` are as in the cache's keys, so that events reach it. */
export function usePages<Item>(
  path: string,
  options: object,
  read: (cursor: string | undefined) => Promise<Page<Item>>,
) {
  const pages = useInfiniteQuery({
    queryKey: ["get", path, options, "pages"],
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const items = useMemo(() => pages.data?.pages.flatMap((page) => page.items) ?? [], [pages.data]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  const readNext = hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined;
  const { error, isLoading, refetch } = pages;
  return { items, error, isLoading, refetch, readNext };
}
