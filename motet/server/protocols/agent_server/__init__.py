"""The wire of LangGraph's Agent Server, at the root: assistants, threads, runs, store, crons.

`langgraph_sdk`, `RemoteGraph` and npm's `@langchain/langgraph-sdk` speak it. What differs from LangGraph's own server
stands in `docs/protocols.md`.
"""
