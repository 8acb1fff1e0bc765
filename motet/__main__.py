"""`python -m motet` is the `motet` command."""

from motet.cli import main

main()
