"""Instruments: one tool a file, one line in the table of `tools.base`."""
