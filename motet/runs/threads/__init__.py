"""What can be done with a conversation besides talking: fork, rewind, compare, tag, move, clear away."""
