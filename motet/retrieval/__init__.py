"""The library: documents are read, cut, embedded, indexed and searched."""
