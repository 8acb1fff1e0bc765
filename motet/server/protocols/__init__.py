"""The wires."""
