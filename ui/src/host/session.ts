import { airflowPrefix, hostAddress, BASE } from "./address";

let isLeaving = false;

/** Sign in again by Airflow's page, and come back to this one; once, though each open request is refused. */
export function signInAgain(): void {
  if (isLeaving) {
    return;
  }
  isLeaving = true;
  const next = hostAddress(window.location.pathname.slice(BASE.length)) + window.location.search;
  const address = `${airflowPrefix()}/auth/login/?next=${encodeURIComponent(window.location.origin + next)}`;
  // The sandbox lets no page navigate the one around it, but a link of that page may be clicked.
  const host = window.parent.document;
  const link = host.createElement("a");
  link.href = address;
  host.body.append(link);
  link.click();
}
