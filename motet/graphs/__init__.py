"""Scores: how agents play together. Each `build_` function returns a plain compiled LangGraph graph."""
