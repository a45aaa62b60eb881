#!/usr/bin/env bash
# Write the types of the API, from the application itself.
set -euo pipefail
cd "$(dirname "$0")/.."
description=$(mktemp --suffix .json)
trap 'rm -f "$description"' EXIT
"${PYTHON:-python}" - "$description" <<'PYTHON'
import json, sys
from pathlib import Path
from airloom.store.store import Store
from airloom.web.app import make_app

Path(sys.argv[1]).write_text(json.dumps(make_app(Store("postgresql://nobody@127.0.0.1:1/none")).openapi()))
PYTHON
node_modules/.bin/openapi-typescript "$description" --output src/api/schema.d.ts
