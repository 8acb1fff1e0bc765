"""The ledger of tool calls: what was begun, what came of it, and what may be done again after a crash."""
