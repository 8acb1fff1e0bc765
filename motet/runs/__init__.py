"""The engine room: one gate, one queue, one engine, one log."""
