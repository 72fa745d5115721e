"""LlamaIndex parts plug into Hayloft, and Hayloft into LlamaIndex."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import Document

from app.chat import ChatModel, Message, Usage
from app.llama_index_seams import HayloftRetriever, LlamaIndexChat, rerank
from app.tokens import EstimatingCounter
from ingest.chunking import ChunkSizes
from ingest.node_parser import PageNodeParser
from storage.records import EVERYTHING, Hit, Scope
from tests.hits import a_hit


def hit(rank: int, text: str, score: float) -> Hit:
    return a_hit(
        text,
        rank=rank,
        document="reports/a b.pdf",
        page=7,
        score=score,
        char_start=10,
        chunk_id=f"3:{rank}",
        version_id=3,
        title="A b",
        page_label="vii",
    )


class CannedFinder:
    def __init__(self, hits: Sequence[Hit]) -> None:
        self.hits = list(hits)
        self.asked: list[tuple[str, int, tuple[str, ...]]] = []

    def search(self, query: str, *, limit: int = 10, scope: Scope = EVERYTHING) -> list[Hit]:
        self.asked.append((query, limit, scope))
        return self.hits[:limit]


def test_retriever_returns_nodes_with_page_and_span() -> None:
    """A LlamaIndex retriever over a library carries document, page, span and score."""
    finder = CannedFinder([hit(1, "Depth 3.40 m", 0.9), hit(2, "Other", 0.5)])

    scope = Scope(documents=("reports",))

    nodes = HayloftRetriever(finder, limit=1, scope=scope).retrieve("how deep?")

    assert finder.asked == [("how deep?", 1, scope)]
    assert [(n.node.node_id, n.score, n.text) for n in nodes] == [("3:1", 0.9, "Depth 3.40 m")]
    assert nodes[0].node.metadata["page"] == 7
    assert nodes[0].node.metadata["page_label"] == "vii"
    assert (nodes[0].node.start_char_idx, nodes[0].node.end_char_idx) == (10, 22)


def test_any_postprocessor_reranks_and_drops() -> None:
    """A LlamaIndex postprocessor decides which hits stay; ranks are given anew."""
    hits = [hit(1, "about the boat", 0.2), hit(2, "about the gauge", 0.8)]

    by_score = rerank("q", hits, SimilarityPostprocessor(similarity_cutoff=0.5))

    assert [(h.chunk_id, h.rank, h.score) for h in by_score] == [("3:2", 1, 0.8)]


def test_any_llm_answers_as_a_chat_model() -> None:
    """A LlamaIndex LLM streams its text and ends with one Usage."""
    model = LlamaIndexChat(MockLLM(max_tokens=3), window=4096, counter=EstimatingCounter())

    items = list(model.stream([Message("user", "one two three four")], reserve=3))

    assert isinstance(model, ChatModel)
    assert isinstance(items[-1], Usage)
    assert sum(isinstance(item, Usage) for item in items) == 1
    assert "".join(item for item in items if isinstance(item, str))
    assert model.window() == 4096
    assert model.count([Message("user", "hello")]).tokens > 0


def test_node_parser_cuts_exact_spans_of_each_document() -> None:
    """Nodes are exact spans of their Document and carry its metadata."""
    text = "First sentence here. " * 40
    spaces = PageNodeParser.fitted(ChunkSizes(limit=30, overlap=5), _words)

    nodes = spaces.get_nodes_from_documents([Document(text=text, metadata={"page_label": "4"})])

    assert len(nodes) > 3
    for node in nodes:
        assert node.get_content() == text[node.start_char_idx : node.end_char_idx]
        assert node.metadata["page_label"] == "4"
        assert len(node.get_content().split()) <= 30


def _words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S+", text)]
