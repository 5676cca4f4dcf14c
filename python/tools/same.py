"""Compares two wheels: the same files with the same content.

    python tools/same.py ONE.whl OTHER.whl
"""

from __future__ import annotations

import sys
import zipfile


def contents(path: str) -> dict[str, bytes]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def main() -> None:
    """Fail if they differ, and say where."""
    one, other = map(contents, sys.argv[1:3])
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    if differ:
        sys.exit(f"the wheels differ in: {', '.join(differ)}")
    print(f"{len(one)} files, the same in both wheels")


if __name__ == "__main__":
    main()
