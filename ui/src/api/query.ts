import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

import { ApiError } from "src/api/error";

const FRESH_MS = 30_000;
const TRIES = 2;

/** Return the cache of what the API has answered; `onSignedOut` is called when a session has ended. */
export function makeQueryClient(onSignedOut: () => void): QueryClient {
  const onError = (error: Error) => {
    if (error instanceof ApiError && error.status === 401) {
      onSignedOut();
    }
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < TRIES && mayPass(error),
      },
    },
  });
}

/** Tell whether the same request may succeed when it is sent again. */
function mayPass(error: Error): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status === 429 || error.status >= 500;
}
