"""`motet chat`: a conversation in the terminal's own scrollback, or line by line where there is no terminal."""
