"""Executes the notebooks and checks that their outputs hold what must be seen.

    python examples/notebooks/run.py [NAME...]

Needs nbclient, ipykernel, matplotlib, lxml, pandas, pyarrow and raudal. No network is used. The notebooks
stay as they are: without outputs.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).parent


def outputs(notebook: nbformat.NotebookNode) -> str:
    """Return all that the cells show, with the types of pictures."""
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            shown.append(output.get("text", ""))
            for media_type, data in output.get("data", {}).items():
                shown.append(media_type if media_type.startswith("image/") else str(data))
    return "\n".join(shown)


def check(path: pathlib.Path) -> list[str]:
    """Execute a notebook. Return what its outputs lack."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.get("outputs"):
            return ["a notebook without stored outputs"]
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    shown = outputs(notebook)
    return [text for text in notebook.metadata["raudal"]["must_show"] if text not in shown]


def main() -> None:
    """Check the named notebooks, or all of them."""
    names = sys.argv[1:]
    paths = sorted(path for path in FOLDER.glob("*.ipynb") if not names or path.stem in names or path.name in names)
    if not paths:
        sys.exit("no such notebook")
    failed = 0
    for path in paths:
        begin = time.monotonic()
        lacks = check(path)
        print(f"{path.name}: {time.monotonic() - begin:.1f} s", f"lacks {json.dumps(lacks, ensure_ascii=False)}" if lacks else "")
        failed += bool(lacks)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
