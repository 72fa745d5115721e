"""The filters of `hayloft search` and `hayloft ask`: arguments, and lines of a batch."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from storage.errors import UsageError

if TYPE_CHECKING:
    from storage.records import Scope

_MANY = {"document": "documents", "type": "kinds", "language": "languages", "tag": "tags"}
"""Filters that may be repeated, with the scope's name for them."""
_ONE = ("since", "until")

KEYS = (*_MANY, *_ONE)
"""The filters as a line of a batch names them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the filters; a document must meet all that are given, and one value of each."""
    group = parser.add_argument_group(
        "filters", "which documents to look at; those marked * may be repeated: any of them will do"
    )
    repeated: dict[str, Any] = {"action": "append", "default": []}
    group.add_argument(
        "--document",
        metavar="PATH",
        help="* this document, all below this folder, or a pattern such as '*2023*.pdf'",
        **repeated,
    )
    group.add_argument("--type", metavar="TYPE", help="* file type, such as pdf", **repeated)
    group.add_argument(
        "--language", metavar="CODE", help="* language, such as en (or unknown)", **repeated
    )
    group.add_argument("--tag", metavar="TAG", help="* tag or keyword of the document", **repeated)
    group.add_argument(
        "--since", metavar="DATE", default="", help="dated 2023, 2023-04 or 2023-04-30, or later"
    )
    group.add_argument("--until", metavar="DATE", default="", help="dated so, or earlier")


def scope_of(args: argparse.Namespace) -> Scope:
    """The scope that the arguments describe. Raises UsageError for dates that are none."""
    from storage.records import Scope
    from storage.scoping import check_dates

    scope = Scope(
        documents=tuple(args.document),
        kinds=tuple(args.type),
        languages=tuple(args.language),
        tags=tuple(args.tag),
        since=args.since,
        until=args.until,
    )
    check_dates(scope)
    return scope


def scope_of_line(line: Mapping[str, Any], given: Scope, *, place: str) -> Scope:
    """The scope of a line of a batch: its own filters, and for the others the given ones.

    Raises UsageError, which names the place, for a filter that is no text or
    list of texts and for dates that are none.
    """
    from dataclasses import replace

    from storage.scoping import check_dates

    own: dict[str, Any] = {}
    for key, name in _MANY.items():
        values = line.get(key)
        values = [values] if isinstance(values, str) else values
        if not isinstance(values, list | None) or any(not isinstance(v, str) for v in values or ()):
            raise UsageError(f'{place}: "{key}" is a string or a list of strings.')
        if values and (kept := tuple(value for value in values if value)):
            own[name] = kept
    for key in _ONE:
        date = line.get(key)
        if not isinstance(date, str | None):
            raise UsageError(f'{place}: "{key}" is a date, as a string.')
        if date:
            own[key] = date
    scope = replace(given, **own)
    try:
        check_dates(scope)
    except UsageError as exc:
        raise UsageError(f"{place}: {exc}") from exc
    return scope
