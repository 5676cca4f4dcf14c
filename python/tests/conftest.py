"""What the tests share: an origin, a server that answers slowly, and docstrings that are run."""

from __future__ import annotations

import doctest
import importlib
import os
import signal

import pytest
import raudal

# A program that a shell starts in the background ignores Ctrl-C, and Python then leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """Without the options of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("RAUDAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("RAUDAL_NO_CONFIG", "1")


@pytest.fixture(scope="session")
def origin():
    """An origin with small archives."""
    with raudal.serve(scale=0.05) as origin:
        yield origin


@pytest.fixture
def slow():
    """An origin whose answers take longer than any test waits."""
    with raudal.serve(latency="60s") as origin:
        yield origin


def examples(name: str, folder) -> doctest.TestResults:
    """Run the examples in the docstrings of a module."""
    module = importlib.import_module(name)
    return doctest.testmod(module, extraglobs={"raudal": raudal, "folder": folder})
