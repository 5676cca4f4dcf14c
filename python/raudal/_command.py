"""The command `raudal`: an entry point into the same library that the functions use."""

from __future__ import annotations

import signal
import sys

from ._raudal import main as _main


def main() -> None:
    """Run the command line, and exit with its code."""
    # Rust handles it: what is complete is kept, and the code is 130. Python's own handler would
    # raise a KeyboardInterrupt afterwards.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_main(["raudal", *sys.argv[1:]]))
