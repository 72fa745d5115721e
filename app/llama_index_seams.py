"""Where LlamaIndex parts plug in, and where Hayloft plugs into LlamaIndex.

Inside, Hayloft passes its own small records: importing `llama_index.core`
takes 3.7 s, which a search from the terminal would pay each time
(docs/decisions/0003). At these seams they become LlamaIndex's classes:

- `HayloftRetriever` lets any LlamaIndex query engine search a library;
- `rerank` runs any LlamaIndex node postprocessor over found passages;
- `LlamaIndexChat` makes any LlamaIndex LLM answer Hayloft's questions.

Readers and node parsers plug in at `ingest.loaders.reader_adapter` and
`ingest.node_parser`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.llms import LLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from app.chat import Message, ModelCrashed, TokenCount, Usage
from app.find import Finder
from app.tokens import TokenCounter
from storage.records import EVERYTHING, Hit, Scope


class HayloftRetriever(BaseRetriever):  # type: ignore[misc]
    """A LlamaIndex retriever over a library."""

    def __init__(self, finder: Finder, *, limit: int = 10, scope: Scope = EVERYTHING) -> None:
        super().__init__()
        self._finder = finder
        self._limit = limit
        self._scope = scope

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._finder.search(query_bundle.query_str, limit=self._limit, scope=self._scope)
        return [node_of(hit) for hit in hits]


def node_of(hit: Hit) -> NodeWithScore:
    """A hit as LlamaIndex passes it: id, text, span and metadata."""
    node = TextNode(
        id_=hit.chunk_id,
        text=hit.text,
        start_char_idx=hit.char_start,
        end_char_idx=hit.char_end,
        metadata={
            "document": hit.document,
            "page": hit.page,
            "page_label": hit.page_label or str(hit.page),
            "title": hit.title,
            "heading": hit.heading,
        },
    )
    return NodeWithScore(node=node, score=hit.score)


def rerank(query: str, hits: Sequence[Hit], postprocessor: BaseNodePostprocessor) -> list[Hit]:
    """The hits that a LlamaIndex postprocessor keeps, in its order and with its scores.

    A postprocessor may drop and reorder passages; text that it rewrites is not
    taken over, since a citation must stand in the page.
    """
    by_id = {hit.chunk_id: hit for hit in hits}
    nodes = postprocessor.postprocess_nodes(
        [node_of(hit) for hit in hits], query_bundle=QueryBundle(query)
    )
    kept = [(by_id[node.node.node_id], node.score) for node in nodes if node.node.node_id in by_id]
    return [
        replace(hit, rank=rank, score=hit.score if score is None else float(score))
        for rank, (hit, score) in enumerate(kept, start=1)
    ]


class LlamaIndexChat:
    """Any LlamaIndex LLM as a chat model (see app.chat.ChatModel).

    `window` has to be given: what an LLM class reports is a default as often
    as the truth. Tokens are counted with `counter`; what the server evaluated
    is unknown here, so a receipt cannot compare.
    """

    provider = "llamaindex"

    def __init__(self, llm: LLM, *, window: int, counter: TokenCounter) -> None:
        self._llm = llm
        self._window = window
        self._counter = counter
        self.name = str(llm.metadata.model_name)

    def window(self) -> int:
        """See ChatModel."""
        return self._window

    def room(self, reserve: int) -> int:
        """See ChatModel."""
        return self._window - reserve - 1

    def count(self, messages: Sequence[Message]) -> TokenCount:
        """See ChatModel."""
        return self._counter.count_chat(messages)

    def count_text(self, text: str) -> TokenCount:
        """See ChatModel."""
        return self._counter.count_text(text)

    def stream(self, messages: Sequence[Message], *, reserve: int) -> Iterator[str | Usage]:
        """See ChatModel."""
        chat = [
            ChatMessage(role=MessageRole(message.role), content=message.content)
            for message in messages
        ]
        pieces: Any = self._llm.stream_chat(chat, max_tokens=reserve)
        try:
            for piece in pieces:
                if piece.delta:
                    yield piece.delta
        except (OSError, RuntimeError, ValueError) as exc:
            raise ModelCrashed(
                f"The LlamaIndex model {self.name} failed: {exc}. Check its server and settings."
            ) from exc
        yield Usage()
