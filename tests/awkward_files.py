"""Makes the files that parsers stumble over, and is itself an awkward parsing process.

Run as a script it is a worker for `ParserPool(command=...)` that does what a
file's name says (`sleep.txt`, `crash.txt`, ...) and reads all others normally.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


def pdf_bytes(
    pages: Sequence[str],
    *,
    title: str = "",
    password: str | None = None,
    outline: Sequence[tuple[str, int, int]] = (),
) -> bytes:
    """A PDF with one page a text (its lines kept); outline entries are (title, page, level)."""
    from reportlab.lib import pdfencrypt
    from reportlab.pdfgen.canvas import Canvas

    encryption = (
        None
        if password is None
        else pdfencrypt.StandardEncryption(password, ownerPassword="owner", strength=128)
    )
    stream = io.BytesIO()
    canvas = Canvas(stream, encrypt=encryption)
    if title:
        canvas.setTitle(title)
    for number, text in enumerate(pages, start=1):
        for name, page, level in outline:
            if page == number:
                canvas.bookmarkPage(name)
                canvas.addOutlineEntry(name, name, level)
        writing = canvas.beginText(50, 780)
        for line in text.split("\n"):
            writing.textLine(line)
        canvas.drawText(writing)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def aes_pdf_bytes(pages: Sequence[str], *, password: str) -> bytes:
    """An AES-256 PDF; with an empty password it opens without asking."""
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_bytes(pages)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def raw_pdf_bytes(objects: Sequence[bytes]) -> bytes:
    """A PDF out of its objects, numbered from 1; the first is the catalog."""
    content = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return content + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\n"
        b"startxref\n%d\n%%%%EOF\n" % (size, table, size, len(content))
    )


def docx_bytes(body: str, *, extra: dict[str, str] | None = None) -> bytes:
    """A Word document whose body is this WordprocessingML; `extra` replaces parts by name."""
    import docx

    stream = io.BytesIO()
    document = docx.Document()
    document.save(stream)
    names = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    out = io.BytesIO()
    with zipfile.ZipFile(stream) as package, zipfile.ZipFile(out, "w") as result:
        for name in package.namelist():
            if name == "word/document.xml":
                result.writestr(
                    name, f'<w:document xmlns:w="{names}"><w:body>{body}</w:body></w:document>'
                )
            elif not extra or name not in extra:
                result.writestr(name, package.read(name))
        for name, content in (extra or {}).items():
            result.writestr(name, content)
    return out.getvalue()


def docx_bomb(path: Path, megabytes: int) -> Path:
    """A small Word document whose body, unpacked, is this large."""
    names = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with (
        zipfile.ZipFile(io.BytesIO(docx_bytes("<w:p/>"))) as package,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as result,
    ):
        for name in package.namelist():
            if name != "word/document.xml":
                result.writestr(name, package.read(name))
        with result.open("word/document.xml", "w", force_zip64=True) as part:
            part.write(f'<w:document xmlns:w="{names}"><w:body>'.encode())
            for _ in range(megabytes):
                part.write(b"<w:p></w:p>" * ((1 << 20) // 11))
            part.write(b"</w:body></w:document>")
    return path


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hayloft-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for inner in folder.rglob("*"):
            if inner.is_dir() and not inner.is_symlink():
                inner.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without the administrator's right to read everything; nothing to do for other users."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


WORKER = (sys.executable, "-P", str(Path(__file__).resolve()))
"""The command of the awkward parsing process."""


def _load(path: Path):
    from ingest.parse_worker import load_by_suffix

    match path.stem.split("-")[0]:
        case "sleep":
            time.sleep(600)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "abort":
            os.abort()
        case "chatter":
            print("this goes to standard output\n" * 20_000, flush=True)
        case "raise":
            raise LookupError("a bug of some parser")
        case "grow":
            path.write_text(path.read_text() + "more\n")
        case "once":
            marker = path.with_suffix(".been")
            if not marker.exists():
                marker.touch()
                path.write_text("changed while it was read\n")
        case "orphan":
            path.with_suffix(".pid").write_text(str(os.getpid()))
            time.sleep(600)
        case "memory":
            bytearray(8 << 30)
    return load_by_suffix(path)


if __name__ == "__main__":
    from ingest.parse_worker import serve

    serve(_load)
