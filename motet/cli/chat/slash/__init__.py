"""Slash commands: one table, a file a subject, a function each."""
