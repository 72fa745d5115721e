"""What all tests stand on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Ctrl-C means Ctrl-C: a shell that starts the suite in the background has it ignored.

    The commands that tests start would ignore it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
