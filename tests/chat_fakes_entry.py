"""`streamlit`, with the fakes of `chat_fakes` behind the door and the pages that it serves."""

from __future__ import annotations

from streamlit.web import cli

from tests import chat_fakes

if __name__ == "__main__":
    chat_fakes.install()
    cli.main(prog_name="streamlit")
