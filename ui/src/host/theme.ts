import { useSyncExternalStore } from "react";

/** The key under which Airflow's pages keep the theme that a person has chosen: light, dark or system. */
const KEY = "theme";
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const chosen = localStorage.getItem(KEY) ?? "system";
  const dark = chosen === "dark" || (chosen === "system" && prefersDark.matches);
  document.documentElement.className = dark ? "dark" : "light";
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
}

/** Show the theme of Airflow's pages, and follow when it changes there. */
export function followTheme(): void {
  apply();
  window.addEventListener("storage", ({ key }) => key === KEY && apply());
  prefersDark.addEventListener("change", apply);
}

function subscribe(onChange: () => void): () => void {
  const observer = new MutationObserver(onChange);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  return () => observer.disconnect();
}

/** Return the theme that is shown. */
export function useTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, () => (document.documentElement.className === "dark" ? "dark" : "light"));
}
