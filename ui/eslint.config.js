import query from "@tanstack/eslint-plugin-query";
import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

// What a folder may import: those below it. A feature imports no other feature.
const LAYERS = ["features", "forms", "graph", "kit", "host", "api", "theme", "model"];

const layers = LAYERS.map((layer, at) => ({
  files: [`src/${layer}/**`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          {
            group: LAYERS.slice(0, at + (layer === "features" ? 1 : 0)).map((above) => `src/${above}/*`),
            message: "Imports go down only",
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ["node_modules/**", "scripts/**", "e2e/**", "vite.config.ts", "eslint.config.js", "src/api/schema.d.ts"] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  hooks.configs.flat["recommended-latest"] ?? hooks.configs["recommended-latest"],
  ...query.configs["flat/recommended"],
  {
    rules: {
      "max-lines": ["error", { max: 300, skipBlankLines: true, skipComments: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  ...layers,
);
