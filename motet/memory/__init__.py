"""The cellar: a thread's state, its transcript, what outlives it, and what of it a model sees."""
