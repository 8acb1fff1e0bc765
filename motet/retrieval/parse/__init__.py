"""Documents are parsed in a process of their own, with limits: what is read may have been made to do harm."""
