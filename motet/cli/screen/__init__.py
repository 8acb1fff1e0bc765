"""Where lines go: into the terminal's own scrollback, with a live part at the bottom that is painted over."""
