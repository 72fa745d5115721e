"""Files → pages → chunks → embeddings → index, visible in one commit a document."""
