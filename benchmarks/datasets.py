"""Public question sets, turned into files that `hayloft` reads.

    python -m benchmarks.datasets financebench --out questions.jsonl
    python -m benchmarks.datasets xquad --out FOLDER     (documents/ and questions.jsonl)

Nothing is downloaded: both sets must lie in the data folder already.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import Skipped, data_folder


@dataclass(frozen=True, slots=True)
class Known:
    """A question with its answers and the pages that hold them."""

    id: str
    question: str
    relevant: tuple[tuple[str, int], ...]
    """(document, page), pages from 1."""
    answers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The question as `hayloft eval retrieval --questions` reads it."""
        return {
            "id": self.id,
            "question": self.question,
            "relevant": [{"document": name, "page": page} for name, page in self.relevant],
            "answers": list(self.answers),
        }


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of XQuAD as a document of its own."""

    document: str
    text: str


def financebench(folder: Path | None = None) -> list[Known]:
    """FinanceBench questions; its evidence counts pages from 0, ours from 1."""
    path = (folder or data_folder() / "financebench") / "questions.jsonl"
    known = []
    for line in _read(path).split("\n"):
        if line.strip():
            value = json.loads(line)
            pages = dict.fromkeys(
                (value["document"], evidence["page_index"] + 1) for evidence in value["evidence"]
            )
            known.append(Known(value["id"], value["question"], tuple(pages), (value["answer"],)))
    return known


def xquad(language: str = "en", folder: Path | None = None) -> tuple[list[Paragraph], list[Known]]:
    """XQuAD: each paragraph a document of one page, each question answered by one of them."""
    path = (folder or data_folder() / "xquad") / f"xquad.{language}.json"
    paragraphs: list[Paragraph] = []
    known: list[Known] = []
    for article in json.loads(_read(path))["data"]:
        for number, paragraph in enumerate(article["paragraphs"], 1):
            name = f"{_file_name(article['title'])}-{number:02}.txt"
            paragraphs.append(Paragraph(name, paragraph["context"]))
            known += [
                Known(
                    asked["id"],
                    asked["question"],
                    ((name, 1),),
                    tuple(dict.fromkeys(answer["text"] for answer in asked["answers"])),
                )
                for asked in paragraph["qas"]
            ]
    return paragraphs, known


def write_documents(paragraphs: Iterable[Paragraph], folder: Path) -> None:
    """One text file a paragraph."""
    folder.mkdir(parents=True, exist_ok=True)
    for paragraph in paragraphs:
        (folder / paragraph.document).write_text(paragraph.text + "\n", encoding="utf-8")


def write_questions(known: Sequence[Known], path: Path) -> None:
    """One JSON object a line."""
    lines = [json.dumps(one.to_json(), ensure_ascii=False) for one in known]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _file_name(title: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in title)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise Skipped(f"no file {path}") from exc


def main() -> int:
    """Write one of the sets where it is wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.datasets", description=__doc__)
    parser.add_argument("dataset", choices=["financebench", "xquad"])
    parser.add_argument("--out", type=Path, required=True, help="a file, or a folder for xquad")
    parser.add_argument("--language", default="en", help="of xquad (default: en)")
    args = parser.parse_args()
    try:
        if args.dataset == "financebench":
            write_questions(financebench(), args.out)
        else:
            paragraphs, known = xquad(args.language)
            write_documents(paragraphs, args.out / "documents")
            write_questions(known, args.out / "questions.jsonl")
    except Skipped as reason:
        print(f"skipped: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
