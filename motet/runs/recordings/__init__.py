"""Recordings of runs: kept while a run works, played again, forked from, and turned into tests."""
