"""The box that untrusted code and hostile files are handled in: bubblewrap, a filter of system calls, and limits."""
