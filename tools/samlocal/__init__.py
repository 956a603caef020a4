"""`make sam-local`: every function in the SAM CLI's own container, against the local AWS. Never deployed."""
