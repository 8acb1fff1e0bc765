"""Task files: read, checked, compiled into LangGraph graphs, imported from elsewhere."""
