"""A deployment from its beginning to its end, and those that end what others left unfinished."""
