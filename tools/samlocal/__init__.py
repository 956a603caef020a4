"""`make sam-local`: runs every function in the SAM CLI's own container, against the local AWS."""
