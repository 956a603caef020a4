"""Blotting out what looks like a secret in texts that come from outside, before people read them.

It goes by what secrets look like and by what stands before them; it can't know them all. What helps to
find a fault has to stay readable: digests, ids, ARNs, names of images, and that a secret is not set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MASK = "*****"

# What a name ends with whose value is a secret: DB_PASSWORD, apiKey, client-secret, next_token.
NAMES = (
    r"(?i:passw(?:or)?d|passphrase|[_-]pass|[_-]pwd|secret|token|credentials?|authorization"
    r"|(?:api|auth|access|secret|private|signing|encryption|master|account|session)[_-]?key"
    r"|access[_-]?key[_-]?id|signature|[?&]sig|(?-i:\b[pP]wd))(?:_?\d+)?"
)
SCHEME = r"(?:(?i:Bearer|Basic|Digest|Token|ApiKey|Negotiate)\s+)?"
# Words that tell that there is no secret, and ARNs, which tell only where it is.
TELLING = r"(?!(?i:null|none|nil|undefined|unset|empty|true|false)(?:[\s,;\"'&)}\]\\]|$)|arn:)"
# No word of a sentence: "invalid token: expired" is no secret.
ODD = r"(?=\S{0,99}(?:\d|[a-z][A-Z]|[A-Za-z][!@#$%^*+=~]))"
# Of what is written like a value without a space, an image or an ARN of a secret: shop/token:v2.0.1.
NO_IMAGE = r"(?<![\w./-])(?<!\d{12}:)"
NO_VERSION = r"(?!v?\d+\.\d[\w.-]*(?:\s|$))"
BASE64 = r"[A-Za-z0-9+/]"

AWS_SECRET_KEY = (  # of which a path or a name has rarely two digits
    rf"(?={BASE64}{{0,39}}[a-z])(?={BASE64}{{0,39}}[A-Z])(?=(?:[A-Za-z+/]{{0,39}}\d){{2}})"
    rf"{BASE64}{{40}}"
)
TOKENS = (  # of GitHub, GitLab, npm, Slack, Stripe, makers of language models, and Google
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|npm_\w{30,}|xox[a-z]-[\w-]{8,}"
    r"|xapp-[\w-]{8,}|[rs]k_(?:live|test)_\w{16,}|sk-[\w-]{32,}|AIza[\w-]{35}"
)

# The first group of each stays as it is.
PATTERNS = (
    # A private key in one line; the backslashes are those of line ends within a JSON text.
    r"(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)[A-Za-z0-9+/=\s\\]+",
    # A line of one, or of another key or certificate, whose beginning is out of sight.
    rf"^(\s*)(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d){BASE64}{{60,}}={{0,2}}\s*$",
    r"(\b[A-Za-z][\w+.-]{0,20}://[^\s:/@\"']*:)[^\s/\"']+(?=@)",
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/+-]+",
    r"()(?<![\w-])eyJ[\w-]{10,}(?:\.[\w-]*)+",  # a JSON Web Token
    r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # the id of AWS's access key
    rf"()(?<![\w+/=.-]){AWS_SECRET_KEY}(?![\w+/=.-])",
    rf"()\b(?:{TOKENS})",
    rf"(\b(?:Bearer|Basic)\s+){ODD}[^\s,\"']{{8,}}",
    r"(?i)(\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\"'\s][^\"']*",
    # A value in quotes, which may be those of a JSON text within another; then one without.
    rf"({NAMES}\\*[\"']?\s*[:=]>?\s*{SCHEME}\")(?!\"){TELLING}(?:[^\"\\]|\\.)+",
    rf"({NAMES}\\*[\"']?\s*[:=]>?\s*{SCHEME}'){TELLING}[^']+",
    rf"({NAMES}\\+\"\s*[:=]\s*\\+\"{SCHEME}){TELLING}[^\"\\]+",
    rf"({NAMES}[\"']?(?:=>?|\s+=>?\s+){SCHEME}){TELLING}[^\s&;\"']+",
    rf"({NAMES}(?:[\"']\s*:\s*|\s*:\s+){SCHEME}){TELLING}{ODD}[^\s,\"'}}\]]{{6,}}",
    rf"{NO_IMAGE}([\w.-]{{0,40}}{NAMES}:){TELLING}{NO_VERSION}{ODD}[^\s,\"'}}\]]{{6,}}",
    rf"(?m)^([ \t]*[\w.-]*{NAMES}\s*:\s+){TELLING}[^\s\"']+\s*$",  # nothing else in the line
    rf"((?<![\w-])--?[\w-]{{0,40}}{NAMES}\s+){TELLING}{ODD}[^\s\"'-]\S*",
)

BEGIN = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")
END = re.compile(r"-----END [A-Z ]*PRIVATE KEY")
KEY_LINE = re.compile(r"\s*(?:[A-Za-z0-9+/=]+|(?:Proc-Type|DEK-Info|Version|Comment): .*|)\s*$")


def redacted(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts, in their order, with a mask (MASK) in place of what looks like a secret.

    A private key may go over several texts, as it does over the lines of a log.
    """
    # Few functions need it, and each would have to load it.
    from aws_lambda_powertools.utilities.data_masking import DataMasking

    masking = DataMasking()
    clean = list(texts)
    for number in _lines_of_keys(clean):
        clean[number] = masking.erase(clean[number])
    for pattern in PATTERNS:
        # One by one: masking_rules take a single pattern for each path.
        clean = masking.erase(clean, regex_pattern=pattern, mask_format=rf"\1{MASK}")
    return tuple(clean)


def _lines_of_keys(texts: Sequence[str]) -> set[int]:
    """The numbers of the texts that lie within a private key, though its beginning or end may be missing."""
    forth = set(_beside(BEGIN, texts))
    back = {len(texts) - 1 - number for number in _beside(END, texts[::-1])}
    return forth | back


def _beside(mark: re.Pattern[str], texts: Sequence[str]) -> Iterator[int]:
    within = False
    for number, text in enumerate(texts):
        if mark.search(text):
            within = True
        elif within and KEY_LINE.match(text):
            yield number
        else:
            within = False
