"""An entry script for `streamlit run`: the real page over the fakes of `chat_fakes`."""

from __future__ import annotations

import runpy
from pathlib import Path

from app import resources
from tests import chat_fakes

if not hasattr(resources, "fakes"):
    # Once a process: every run of the page must meet the same library.
    resources.fakes = chat_fakes.install()  # type: ignore[attr-defined]
runpy.run_path(str(Path(resources.__file__).with_name("main.py")))
