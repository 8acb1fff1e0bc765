"""LangServe's wire, for its client `RemoteRunnable`: each graph a runnable, below `/langserve/{graph}/`.

`wire` has the routes; `decode` reads inputs and configs; `encode` tells a run's events; `playground` is a page.
"""
