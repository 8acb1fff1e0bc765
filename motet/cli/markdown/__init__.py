"""Markdown for a terminal that scrolls: text that streams in, cut into blocks that are printed once."""
