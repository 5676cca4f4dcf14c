"""``python -m raudal`` is the command."""

from ._command import main

main()
