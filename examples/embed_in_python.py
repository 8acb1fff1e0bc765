"""Motet inside a Python program: an app without a server, runs by the one gate, events from the one log.

Run it with `python examples/embed_in_python.py "What does a lunch box cost?"`. It uses the model of your settings: the
embedded one unless you set another, and its weights must be there (`motet models pull`).
"""

import asyncio
import sys

from motet import RunRequest, Settings, build_app


async def main(question: str) -> None:
    """Ask one question and print the answer as it is written."""
    async with build_app(Settings.load()) as app:
        request = RunRequest(input={"messages": [{"role": "user", "content": question}]})
        async for recorded in app.stream(request):
            if recorded.event.type == "message.delta":
                print(recorded.event.text, end="", flush=True)
            elif recorded.event.type == "run.failed":
                print(recorded.event.error["message"], file=sys.stderr)
        print()


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "Hello!"))
