"""Numbers with their noun, for lines that people read."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 page`, `12,000 pages`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
