"""The plain pipeline that ingestion is compared with, as a tutorial would write it.

One stage after another, each library as it comes: pypdf for the text of each
page, LlamaIndex's SentenceSplitter, SentenceTransformer.encode, and Chroma's
`add` in this process. Chunks are as long as the embedding model reads, with
the overlap Hayloft uses, so that both embed about the same amount of text
(splitter defaults of 1,024 tokens would have three quarters of each chunk
ignored by the model, and look quick for it).

Run as a process of its own, so that its wall time holds what Hayloft's holds:
the interpreter, the imports, loading the model.

    python -m benchmarks.reference_ingest DOCUMENTS SCRATCH MODEL THREADS DEVICE
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(documents: Path, scratch: Path, model_path: str, threads: int, device: str) -> int:
    """Ingest the PDFs of a folder the plain way; prints seconds by stage, as JSON."""
    began = time.perf_counter()
    import chromadb
    import torch
    from llama_index.core import Document
    from llama_index.core.node_parser import SentenceSplitter
    from pypdf import PdfReader
    from sentence_transformers import SentenceTransformer

    if threads:
        torch.set_num_threads(threads)
    stages = {"import": time.perf_counter() - began}

    def stage(name: str, since: float) -> float:
        now = time.perf_counter()
        stages[name] = now - since
        return now

    mark = time.perf_counter()
    model = SentenceTransformer(model_path, device=device or None)
    mark = stage("load model", mark)

    pages = []
    for path in sorted(documents.rglob("*.pdf")):
        for number, page in enumerate(PdfReader(path).pages, 1):
            text = page.extract_text()
            pages.append(
                Document(
                    text=text,
                    metadata={"document": path.name, "page": number},
                    # Or the splitter would make room for it in every chunk.
                    excluded_embed_metadata_keys=["document", "page"],
                    excluded_llm_metadata_keys=["document", "page"],
                )
            )
    mark = stage("parse", mark)

    tokenizer = model.tokenizer
    splitter = SentenceSplitter(
        chunk_size=model.max_seq_length - 2,
        chunk_overlap=32,
        tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False),
    )
    nodes = [node for node in splitter.get_nodes_from_documents(pages) if node.text.strip()]
    mark = stage("split", mark)

    texts = [node.text for node in nodes]
    vectors = model.encode(texts)
    mark = stage("embed", mark)

    client = chromadb.PersistentClient(
        str(scratch), settings=chromadb.Settings(anonymized_telemetry=False)
    )
    collection = client.create_collection("reference", embedding_function=None)
    step = client.get_max_batch_size()
    for start in range(0, len(nodes), step):
        part = slice(start, start + step)
        collection.add(
            ids=[node.node_id for node in nodes[part]],
            embeddings=vectors[part],
            documents=texts[part],
            metadatas=[node.metadata for node in nodes[part]],
        )
    stage("store", mark)

    report = {
        "chunks": len(texts),
        "pages": len(pages),
        "characters": sum(map(len, texts)),
        "seconds": time.perf_counter() - began,
        "stages": stages,
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    folder, scratch_folder, model_name, thread_count, device_name = sys.argv[1:]
    sys.exit(main(Path(folder), Path(scratch_folder), model_name, int(thread_count), device_name))
