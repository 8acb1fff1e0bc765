"""One event stream, several renderers: each is a small class that is fed a run's events in order."""
