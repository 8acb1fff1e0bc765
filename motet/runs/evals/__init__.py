"""Evaluations of graphs on data sets: what is asked, how answers are scored, what was found, and how it compares."""
