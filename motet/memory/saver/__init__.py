"""Inside the checkpoint saver: how checkpoints become rows, and rows checkpoints."""
