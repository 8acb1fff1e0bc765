"""The same graph behind other servers; each file is run with the Python of an environment of its own."""
