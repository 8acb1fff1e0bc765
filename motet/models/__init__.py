"""Voices: every model behind one port, the embedded one included."""
