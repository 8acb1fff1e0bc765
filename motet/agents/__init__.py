"""Players: one agent a file; its prompts as text in `prompts/`."""
