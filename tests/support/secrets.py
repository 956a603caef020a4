"""Texts of AWS and of people with a secret in them."""

from __future__ import annotations

from hypothesis import strategies as st

SECRET = "Sw0rdf1sh9"
FORMS = (
    f"DB_PASSWORD={SECRET}",
    f"postgres://api:{SECRET}@db.internal:5432/shop",
    f"Authorization: Bearer {SECRET}",
    f'{{"dbPassword": "{SECRET}"}}',
    f"--api-key {SECRET}",
    # Not shown, and in the middle of the name by which the secret is known.
    f"DB_PASS\u00adWORD={SECRET}",
    f"DB_\x1b[1mPASSWORD={SECRET}",
)
_WORDS = ("the", "task", "exited", "datapoint", "[5.0]", "no", "answer", "é", "\U0001f41f")
_AROUND = st.lists(st.sampled_from(_WORDS), max_size=4).map(" ".join)

leaking = st.builds(
    lambda before, form, after: f"{before} {form} {after}",
    _AROUND,
    st.sampled_from(FORMS),
    _AROUND,
)
"""Texts with SECRET in them, in a form that the search for secrets knows."""
