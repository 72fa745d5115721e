"""A run that is told to stop ends as interrupted, wherever in whose code the signal meets it."""

from __future__ import annotations

import os
import signal

import pytest

from ingest.report import Report
from ingest.run_line import RunLine, stopped_by
from ingest.stopping import stoppable
from tests.library_fixtures import open_library


class Named:
    """As pydantic's fields: told its name while the class that holds it is made."""

    def __set_name__(self, owner: type, name: str) -> None:
        raise KeyboardInterrupt


def wrapped() -> Exception:
    """What an interruption in there comes out as, where Python raises it as another error."""
    try:
        type("Holder", (), {"field": Named()})
    except KeyboardInterrupt as exc:  # Python 3.12 and later
        error = RuntimeError("Error calling __set_name__")
        error.__cause__ = exc
        return error
    except RuntimeError as exc:
        return exc
    raise AssertionError("nothing was raised")


def test_an_interruption_that_came_out_as_another_error_is_known():
    """By the chain of causes, which may also be a ring."""
    ring = ValueError("round")
    ring.__context__ = TypeError("and round")
    ring.__context__.__context__ = ring

    assert stopped_by(wrapped())
    assert not stopped_by(ring)


def test_a_run_that_is_stopped_inside_an_import_is_interrupted_and_no_fault(tmp_path):
    """Not `error`, and no traceback: the command ends as with any other Ctrl-C."""
    with open_library(tmp_path) as library:
        report = Report()
        with pytest.raises(KeyboardInterrupt), RunLine(library, report).kept("ingest"):
            raise wrapped()

        assert report.outcome == library.catalog.runs()[0].outcome == "interrupted"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_that_was_swallowed_is_raised_again_at_the_next_file(signum):
    """A finaliser, say, drops every error."""
    before = signal.getsignal(signum)
    with stoppable() as stop:
        stop.check()
        try:
            os.kill(os.getpid(), signum)
        except KeyboardInterrupt:
            swallowed = True

        assert swallowed
        with pytest.raises(KeyboardInterrupt):
            stop.check()
    assert signal.getsignal(signum) == before


def test_a_background_job_that_ignores_ctrl_c_goes_on_ignoring_it():
    """As a shell starts it with `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
