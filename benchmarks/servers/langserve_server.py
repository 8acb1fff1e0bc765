"""LangServe's own server over the graph: `python langserve_server.py PORT`."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from graph import graph
from langserve import add_routes

app = FastAPI()
add_routes(app, graph, path="/langserve/chat")

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
