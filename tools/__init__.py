"""What the Makefile runs on the project's own files."""
