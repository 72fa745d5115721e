"""What a server's own count of a prompt proves: that it was read whole, and nothing added."""

from __future__ import annotations

from collections.abc import Sequence

from app.chat import Message, TokenCount
from app.tokens import lower_bound


def reads_short(messages: Sequence[Message], count: TokenCount, reported: int) -> bool:
    """True where the server read less of the prompt than it was sent."""
    if count.exact:
        return reported < count.tokens - _slack(messages)
    # An estimate lies above the truth by as much as half, so it proves
    # nothing. Characters do: a prompt has never fewer tokens than
    # `lower_bound`, and a silent cut leaves half a window. 60 % of the
    # bound leaves room for text that no bound foresaw.
    least = sum(lower_bound(message.content) for message in messages)
    return reported < 0.6 * least


def reads_more(messages: Sequence[Message], count: TokenCount, reported: int) -> bool:
    """True where the server surely read more than it was sent: its template adds text."""
    return count.exact and reported > count.tokens + _slack(messages)


def _slack(messages: Sequence[Message]) -> int:
    """Tokens by which equal prompts may differ: templates vary in the line end after a turn."""
    return 4 + len(messages)
