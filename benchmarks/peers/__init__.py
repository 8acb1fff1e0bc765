"""The same turn in every framework: one module each, run with the Python of an environment of its own.

A module has `async def turns(base_url, folder)`: it yields a function that does one turn of one conversation, a
question, a tool call and an answer, and returns the answer's text. It imports nothing of Motet's.
"""
