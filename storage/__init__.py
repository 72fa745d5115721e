"""What writer and reader agree on: the catalog, the vectors, the embedder."""
