"""Loads the part of the package that is written in Rust, with settings for its allocator."""

from __future__ import annotations

import os

# mimalloc reads them once, while it is loaded. What is freed goes back to the system at once: with the
# usual delay of a second, threads that end earlier keep it.
_SETTINGS = {"MIMALLOC_ARENA_EAGER_COMMIT": "0", "MIMALLOC_PURGE_DELAY": "0"}


def load() -> None:
    """Load the module, and leave the environment as it was."""
    added = [name for name in _SETTINGS if name not in os.environ]
    for name in added:
        os.environ[name] = _SETTINGS[name]
    try:
        from . import _raudal  # noqa: F401
    finally:
        for name in added:
            os.environ.pop(name, None)
