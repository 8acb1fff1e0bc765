"""OpenAI's wire: each graph a model, for Chat Completions and for Responses.

`wire` has the routes; `chat` and `responses` decode and encode; `talk` tells what of a run's events is said.
"""
