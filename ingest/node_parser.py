"""Hayloft's chunking as a LlamaIndex node parser, for pipelines built with LlamaIndex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import BaseNode, NodeRelationship, TextNode

from ingest.chunking import ChunkSizes, TokenSpans, spans_of


class PageNodeParser(NodeParser):  # type: ignore[misc]
    """Cuts each Document (one a page) into nodes that fit the embedding model.

    Node text is exactly the span [start_char_idx, end_char_idx) of its
    Document, sized in the embedding model's own tokens.
    """

    limit: int
    overlap: int
    token_spans: Any

    @classmethod
    def fitted(cls, sizes: ChunkSizes, token_spans: TokenSpans) -> PageNodeParser:
        """A parser for one embedding model."""
        return cls(limit=sizes.limit, overlap=sizes.overlap, token_spans=token_spans)

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        for document in nodes:
            text = document.get_content()
            for start, end in spans_of(text, self.token_spans(text), self.limit, self.overlap):
                parsed.append(
                    TextNode(
                        text=text[start:end],
                        start_char_idx=start,
                        end_char_idx=end,
                        metadata=dict(document.metadata),
                        relationships={NodeRelationship.SOURCE: document.as_related_node_info()},
                    )
                )
        return parsed
