// The pages as they are shipped, from a server of their own: a stand-in for Airflow's, which answers nothing of the API
// but the stream of events.
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const STATIC = fileURLToPath(new URL("../../../include/airloom/web/static/", import.meta.url));
const BASE = "/airloom";
const TYPES: Record<string, string> = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

export interface Site {
  address: string;
  close: () => Promise<void>;
}

/** Serve the pages at a free port of this machine. */
export async function serve(): Promise<Site> {
  const page = readFileSync(`${STATIC}index.html`, "utf8").replace("<head>", `<head><base href="${BASE}/">`);
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname.slice(BASE.length);
    const file = `${STATIC}${path.slice(1)}`;
    if (path === "/api/v1/events") {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(": connected\n\n");
      streams.add(response);
    } else if (/^\/(assets\/)?[\w.-]+$/.test(path) && existsSync(file) && extname(file) in TYPES) {
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] });
      createReadStream(file).pipe(response);
    } else {
      response.writeHead(200, { "Content-Type": "text/html" }).end(page);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}${BASE}`,
    close: () =>
      new Promise((resolve) => {
        streams.forEach((stream) => stream.end());
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
