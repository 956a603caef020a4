"""`make bench`: measures on the local AWS how long a deployment takes and what it costs."""


class UnexpectedError(Exception):
    """A deployment did not end as it should, so the measurements mean nothing."""
