/**
 * The frame's place in Airflow's own address.
 *
 * Airflow mirrors the address of a plugin's frame only when the frame loads, which a navigation within the page is not.
 */

/** The path below which the server serves these pages, without a slash at its end. */
export const BASE = new URL(document.baseURI).pathname.replace(/\/$/, "");

const PLUGIN = "/plugin/airloom";
const TABS = "/tab/";

export const isFramed = (): boolean => window.parent !== window;

/** Return whether this page is a tab on a page of Airflow's, which keeps its own address. */
export const isTab = (): boolean => window.location.pathname.startsWith(BASE + TABS);

/** Take the keyboard's focus when the frame is opened, so that its keys work without a click into it. */
export function takeFocus(): void {
  if (isFramed() && !isTab()) {
    window.focus();
  }
}

/** Return the path of Airflow itself, which may be served below a prefix. */
export function airflowPrefix(): string {
  return BASE.endsWith("/airloom") ? BASE.slice(0, -"/airloom".length) : "";
}

/** Return the address that shows a path of these pages within Airflow. */
export function hostAddress(path: string): string {
  return `${airflowPrefix()}${PLUGIN}${BASE.slice(airflowPrefix().length)}${path}`;
}

/** Write the frame's address into Airflow's, so that it can be shared and survives a reload. */
export function mirrorAddress(): void {
  if (!isFramed() || isTab()) {
    return;
  }
  const path = window.location.pathname.slice(BASE.length);
  const wanted = hostAddress(path) + window.location.search + window.location.hash;
  const host = window.parent;
  if (host.location.pathname + host.location.search + host.location.hash !== wanted) {
    host.history.replaceState(host.history.state, "", wanted);
  }
}
