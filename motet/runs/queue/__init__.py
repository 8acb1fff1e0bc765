"""Queues of accepted runs, behind one port."""
