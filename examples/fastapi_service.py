"""Motet inside a FastAPI service: its wires below `/agents`, and an endpoint of the service's own beside them.

Needs FastAPI (`pip install fastapi`). Run it with `python examples/fastapi_service.py` and ask:

    curl -s localhost:8000/ask -H 'content-type: application/json' -d '{"question": "Hello"}'
    curl -s localhost:8000/agents/v1/models
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from motet import RunRequest, Settings, build_app


class Question(BaseModel):
    """What the service is asked."""

    question: str


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    """Open Motet with the service, and close it with it."""
    async with build_app(Settings.load()) as motet:
        await motet.start_worker(every_thread=True)
        await motet.mount(service, "/agents")
        service.state.motet = motet
        yield


service = FastAPI(lifespan=lifespan)


@service.post("/ask")
async def ask(question: Question) -> dict[str, str]:
    """Answer one question."""
    request = RunRequest(input={"messages": [{"role": "user", "content": question.question}]})
    answer = ""
    async for recorded in service.state.motet.stream(request):
        event = recorded.event
        if event.type == "message.completed" and event.role == "assistant":
            answer = event.text
    return {"answer": answer}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(service, host="127.0.0.1", port=parser.parse_args().port)
