"""Reading ahead: a prompt's beginning is computed before its question is asked.

The request is made with the very window and options of an answer, since
another window would make Ollama load the model again, and asks for one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from app.answers import Turn
from app.budget import budget_of
from app.chat import ChatModel, Message, ModelMissing, Usage
from app.conversations import Conversations
from app.long_model import long_copy
from app.modes import Planner, Whole
from app.ollama_chat import OllamaChat
from app.prompt_text import front_of, opening
from app.settings import AppSettings
from app.warmth import WARMING, loading_s
from storage.errors import UsageError
from storage.library import Library
from storage.records import EVERYTHING, Scope

LATEST = "latest"

KEEP_HOURS = 12
"""How long Ollama keeps the model then: from a nightly run until the morning's last question."""


@dataclass(frozen=True, slots=True)
class Warmed:
    """What was read ahead."""

    model: str
    what: str
    """`the rules`, `2 documents`, `conversation Travel`."""
    tokens: int
    computed: int | None
    """Of these now; the rest the server had. None where it does not tell."""
    window: int

    def to_json(self) -> dict[str, object]:
        """What `hayloft warm --json` prints."""
        return {
            "model": self.model,
            "what": self.what,
            "prompt_tokens": self.tokens,
            "computed_tokens": self.computed,
            "window": self.window,
        }


def warm(
    library: Library,
    settings: AppSettings,
    model: ChatModel | None,
    *,
    scope: Scope = EVERYTHING,
    conversation: str | None = None,
    keep_hours: int = KEEP_HOURS,
) -> Warmed:
    """Load the model, and let it read the chosen or pinned documents, or a conversation.

    Documents in a scope take the place of the pinned ones. Raises UsageError
    where there is nothing of that name, or the documents do not fit, and
    ChatModelError where no model can read.
    """
    if model is None:
        raise ModelMissing(
            "There is no chat model to warm: answers are quotations. Start Ollama and run "
            "`ollama pull qwen2:7b`."
        )
    planner = Planner(
        library, settings, lambda base: long_copy(base, settings, library.settings.data_dir)
    )
    history: Sequence[Turn] = ()
    what = "the rules"
    if conversation:
        history, what = _conversation(library, conversation)
    now = planner.situation("", history, scope, model)
    if not conversation:
        pages = planner.front(now)
        if not scope.is_everything:
            whole = planner.whole(now, pages)
            if not isinstance(whole, Whole):
                raise UsageError(f"The documents cannot be read ahead: {whole.words()}.")
            pages = whole.pages
            if whole.model is not model:
                model = whole.model
                now = planner.situation("", history, scope, model)
        if pages:
            documents = len({page.document_id for page in pages})
            what = f"{documents:,} document{'' if documents == 1 else 's'}"
            history = [front_of(pages)]
    messages = opening(history)
    if messages[-1].role != "user":
        # Templates end a prompt with a user's message; only what stands before it matters.
        messages = [*messages, Message("user", "Question:")]
    budget = budget_of(model, settings, library.settings.data_dir)
    total = model.count(messages).tokens
    if total > budget.room:
        raise UsageError(
            f"{what[0].upper()}{what[1:]}: {total:,} tokens do not fit the {budget.room:,} that a "
            "prompt may have."
        )
    usage = Usage()
    if isinstance(model, OllamaChat):
        model.keep_alive = f"{keep_hours}h"
    with closing(model.stream(messages, reserve=1)) as stream:  # type: ignore[type-var]
        for item in stream:
            if isinstance(item, Usage):
                usage = item
    planner.last.keep(budget.model, messages, total, WARMING)
    computed = usage.computed_tokens
    if usage.cached_tokens is not None:
        computed = (usage.prompt_tokens or total) - usage.cached_tokens
    elif now.before.loaded is False:
        computed = total
    planner.speeds.add(
        budget.model,
        budget.window,
        computed_tokens=computed,
        prompt_s=usage.prompt_s,
        answer_tokens=None,
        answer_s=None,
        load_s=loading_s(usage, now.before),
    )
    name = f"{model.provider} {model.name}"
    return Warmed(name, what, usage.prompt_tokens or total, computed, budget.window)


def _conversation(library: Library, name: str) -> tuple[Sequence[Turn], str]:
    path = library.settings.data_dir / "conversations.db"
    if not path.exists():
        raise UsageError("There are no conversations in this data directory yet.")
    store = Conversations(path, owner=None)
    try:
        summaries = store.summaries()
        for summary in summaries:
            if name in (LATEST, summary.conversation_id):
                return store.history(summary.conversation_id), f"conversation “{summary.title}”"
    finally:
        store.close()
    raise UsageError(f"There is no conversation {name!r}. `latest` is the one used last.")
