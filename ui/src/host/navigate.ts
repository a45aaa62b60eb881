import { airflowPrefix, hostAddress, isFramed, isTab } from "./address";

/** Show a page of Airflow's in place of these; the sandbox of the frame allows no link to another frame. */
export function openInAirflow(path: string): void {
  const host = window.parent as Window & typeof globalThis;
  if (!isFramed()) {
    window.location.assign(airflowPrefix() + path);
    return;
  }
  host.history.pushState(null, "", airflowPrefix() + path);
  host.dispatchEvent(new host.PopStateEvent("popstate", { state: null }));
}

/** Show one of these pages in full, from a tab on a page of Airflow's. */
export function openInFull(path: string): void {
  openInAirflow(hostAddress(path).slice(airflowPrefix().length));
}

export const dagPath = (pipeline: string): string => `/dags/${encodeURIComponent(pipeline)}`;
export const dagRunPath = (pipeline: string, run: string): string =>
  `${dagPath(pipeline)}/runs/${encodeURIComponent(run)}`;

export { isTab };
