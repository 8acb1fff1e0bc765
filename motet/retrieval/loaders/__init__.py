"""One file a format: each has a `load(data, path)` that turns bytes into a `LoadedDocument`."""
