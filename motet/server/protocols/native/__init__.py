"""Motet's own wire, below `/motet/v1`: JSON in, JSON out, errors as problem+json.

`wire` puts the routes together; `runs` and `records` answer them.
"""
