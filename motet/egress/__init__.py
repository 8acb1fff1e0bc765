"""The one way out: every call that tools, webhooks, MCP and sign-in make to another machine goes through `client`."""
