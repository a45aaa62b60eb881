import { ChakraProvider } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { makeQueryClient } from "src/api/query";
import { signInAgain } from "src/host/session";
import { followTheme } from "src/host/theme";
import { router } from "src/router";
import { system } from "src/theme/system";

followTheme();
const queryClient = makeQueryClient(signInAgain);
const root = document.getElementById("root");

if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <ChakraProvider value={system}>
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </ChakraProvider>
    </StrictMode>,
  );
}
