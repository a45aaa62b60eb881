"""Run the benchmarks and keep what they print: `python bench/all.py [NAME …] [--quick] [--write]`.

Without names, all run, one after the other; they take about an hour. `--write` puts each result into
docs/performance.md, in place of the one of the same title.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
NAMES = ("catalog", "check", "compile", "events", "loops", "publish", "run", "tables", "windows", "trial")
MEASURED = "<!-- What follows is written by bench/all.py. -->\n"


def main() -> None:
    """Run what was asked for; the exit code is that of the first that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds")
    parser.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"there is no benchmark {sorted(unknown)[0]!r}; there are {', '.join(NAMES)}")
    for name in asked.names or NAMES:
        command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if asked.quick else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        if done.returncode:
            raise SystemExit(done.returncode)
        if asked.write:
            keep(done.stdout)


def keep(result: str) -> None:
    """Put the result of one benchmark into the page, in place of the one of the same title."""
    text, _, measured = PAGE.read_text().partition(MEASURED)
    sections = {part.partition("\n")[0]: part.strip() for part in re.split(r"^## ", measured, flags=re.MULTILINE)[1:]}
    for part in re.split(r"^## ", result, flags=re.MULTILINE)[1:]:
        sections[part.partition("\n")[0]] = part.strip()
    PAGE.write_text(text + MEASURED + "".join(f"\n## {part}\n" for part in sections.values()))


if __name__ == "__main__":
    main()
