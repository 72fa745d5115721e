"""What a browser says over the page's websocket."""

from __future__ import annotations


def is_deed(message: bytes) -> bool:
    """Whether somebody did something on the page: it does not only refresh itself."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from streamlit.proto.BackMsg_pb2 import BackMsg

    said = BackMsg()
    try:
        said.ParseFromString(message)
    except DecodeError:
        return False
    return said.WhichOneof("type") == "rerun_script" and not said.rerun_script.is_auto_rerun
