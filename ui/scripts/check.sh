#!/usr/bin/env bash
# Check the pages: types of the API, style, tests, and that what is shipped is what is built. Needs Node, and Airloom's
# environment for the API's description.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -d node_modules ] && [ node_modules -nt package-lock.json ] || npm ci --no-audit --no-fund
export PYTHON=${PYTHON:-$PWD/../.venv/bin/python}
scripts/openapi.sh
npm run --silent lint
npm test --silent
npm run --silent build
npm run --silent states
if [ -n "$(git status --porcelain -- . ../include/airloom/web/static)" ]; then
  git status --short -- . ../include/airloom/web/static
  echo "What is shipped is not what is built: commit the files above." >&2
  exit 1
fi
