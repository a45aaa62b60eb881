import { Flex } from "@chakra-ui/react";
import { useQueryClient } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";

import { Feed, type Connection } from "src/api/events";
import { isTab, mirrorAddress, takeFocus } from "src/host/address";
import { signInAgain } from "src/host/session";
import { Boundary } from "src/kit/Boundary";
import { Toasts } from "src/kit/toaster";
import { Bar } from "src/shell/Bar";

const Palette = lazy(() => import("src/shell/Palette"));

/** The frame of every page: the bar above it, the stream of events behind it. */
export function Shell() {
  const address = useRouterState({ select: (state) => state.location.href });
  useEffect(mirrorAddress, [address]);
  useEffect(takeFocus, []);
  const connection = useFeed();
  const [searching, setSearching] = useState(false);
  useEffect(() => {
    const open = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") {
        event.preventDefault();
        setSearching(true);
      }
    };
    window.addEventListener("keydown", open);
    return () => window.removeEventListener("keydown", open);
  }, []);
  return (
    <Flex direction="column" h="100%">
      {!isTab() && <Bar connection={connection} onSearch={() => setSearching(true)} />}
      <Flex as="main" direction="column" flex="1" minH="0">
        <Boundary>
          <Outlet />
        </Boundary>
      </Flex>
      {searching && (
        <Suspense>
          <Palette onClose={() => setSearching(false)} />
        </Suspense>
      )}
      <Toasts />
    </Flex>
  );
}

function useFeed(): Connection {
  const queries = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    const feed = new Feed(queries, setConnection, signInAgain);
    feed.start();
    return () => feed.stop();
  }, [queries]);
  return connection;
}
