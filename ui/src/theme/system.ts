import { createSystem, defaultConfig, defineConfig } from "@chakra-ui/react";

import palette from "./palette.json";

type Hue = Exclude<keyof typeof palette, "black">;

/** Return the roles that a hue plays in both themes, as Airflow's own pages have them. */
function roles(hue: Hue) {
  return {
    solid: { value: `{colors.${hue}.600}` },
    contrast: { value: "white" },
    fg: { value: { _light: `{colors.${hue}.800}`, _dark: `{colors.${hue}.200}` } },
    muted: { value: { _light: `{colors.${hue}.200}`, _dark: `{colors.${hue}.800}` } },
    subtle: { value: { _light: `{colors.${hue}.100}`, _dark: `{colors.${hue}.900}` } },
    emphasized: { value: { _light: `{colors.${hue}.300}`, _dark: `{colors.${hue}.700}` } },
    focusRing: { value: { _light: `{colors.${hue}.800}`, _dark: `{colors.${hue}.200}` } },
  };
}

const HUES = Object.keys(palette).filter((name): name is Hue => name !== "black");

const colors = Object.fromEntries(
  HUES.map((hue) => [hue, Object.fromEntries(Object.entries(palette[hue]).map(([step, value]) => [step, { value }]))]),
);

const config = defineConfig({
  globalCss: {
    "html, body": { height: "100%", bg: "bg", color: "fg", fontSize: "sm" },
    "#root": { height: "100%" },
    "*:focus-visible": { outlineColor: "blue.focusRing" },
  },
  theme: {
    tokens: { colors: { black: { value: palette.black }, ...colors } },
    semanticTokens: {
      colors: {
        ...Object.fromEntries(HUES.map((hue) => [hue, roles(hue)])),
        button: roles("steel"),
        danger: roles("red"),
        success: roles("green"),
        failed: roles("red"),
        running: roles("cyan"),
        queued: roles("stone"),
        skipped: roles("pink"),
        waiting: roles("gray"),
      },
    },
    recipes: {
      button: { defaultVariants: { size: "sm" } },
      input: { defaultVariants: { size: "sm" } },
    },
  },
});

export const system = createSystem(defaultConfig, config);
