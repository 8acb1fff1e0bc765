"""Tools, resources and prompts of MCP servers: named by the operator, pinned when approved."""
