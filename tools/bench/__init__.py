"""`make bench`: what a deployment takes and costs, measured on the local AWS."""


class UnexpectedError(Exception):
    """Something did not go as it should: what was measured says nothing."""
