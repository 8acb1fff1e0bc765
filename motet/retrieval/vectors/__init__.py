"""Where vectors are searched: FAISS in this process, or a store of yours. The database keeps them all the same."""
