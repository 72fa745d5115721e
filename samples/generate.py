"""Write the sample library: the papers of the Thessel Ferry Society.

    python samples/generate.py                 samples/library, in place
    python samples/generate.py --output DIR    another folder

The society, its river, its people and their figures are invented; they are
consistent from one document to the next, so that questions have one answer.
The text stands in samples/source; each manuscript names the file it becomes,
and the ending of that name chooses the format. The same manuscripts give the
same bytes, so a change in samples/library is always a change of text.
Needs reportlab and python-docx (the development dependencies).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import manuscript
import paper
import web
import word

HERE = Path(__file__).resolve().parent

RENDERERS = {
    ".docx": word.render,
    ".html": web.render,
    ".md": lambda text: text.body.encode("utf-8"),
    ".pdf": paper.render,
}


def generate(output: Path) -> list[Path]:
    """Write every document below `output`; the paths written."""
    written = []
    for source in sorted((HERE / "source").glob("*.md")):
        text = manuscript.read(source)
        target = output / text.output
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(RENDERERS[target.suffix](text))
        written.append(target)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the sample library.")
    parser.add_argument("--output", type=Path, default=HERE / "library", metavar="DIR")
    for path in generate(parser.parse_args().output.absolute()):
        print(f"{path.stat().st_size:>8,} bytes  {path}")


if __name__ == "__main__":
    main()
