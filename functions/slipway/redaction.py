"""Masks what looks like a secret in texts from outside, before they are kept anywhere or people read them.

A secret is known by its own form or by the name before it, so some are missed. What helps to find a fault
must stay readable: digests, ids, ARNs, names of images, and the fact that a secret is not set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from aws_lambda_powertools import Logger

from slipway.text import visible

logger = Logger()

MASK = "*****"
UNSEARCHED = "(not shown, because it could not be searched for secrets)"

# What may follow in the name of a secret: DB_PASSWORD_PROD, secret_key_base. A name with a word of ABOUT has
# no secret as its value (TOKEN_FILE, PASSWORD_MIN_LENGTH), or is the code of an error (TOKEN_EXPIRED).
# Repetitions have an upper bound, so that a long line does not take long.
ABOUT = (
    r"(?:FILE|PATH|DIR|ARN|NAME|TYPE|URL|URI|ENDPOINT|HOST|TTL|EXPIR\w*|LIFETIME|AGE|TIMEOUT|SECONDS"
    r"|MIN|MAX|LENGTH|SIZE|COUNT|LIMIT|VERSION|ALG|ALGORITHM|HEADER|FORMAT|POLICY|ISSUER|ENABLED|REQUIRED"
    r"|NOT|INVALID|MISSING|MISMATCH|REVOKED|UNKNOWN|ERROR|FAILED)(?![A-Z0-9])"
)
STAGES = r"base|prod(?:uction)?|staging|stage|dev(?:elopment)?|test|live|old|new|current|previous|primary"
PARTS = rf"(?:_?\d+)?(?:_(?!{ABOUT})[A-Z0-9]{{1,30}}|_(?:{STAGES})(?![a-z])){{0,4}}"
# Any name in capitals that ends with KEY, except names of keys that are not secret.
KEY = (
    r"(?<=[A-Z0-9])(?<!PUBLIC)(?<!PRIMARY)(?<!FOREIGN)(?<!PARTITION)(?<!SORT)(?<!KMS)(?<!DUP)(?<!DUPLICATE)"
    r"_KEY"
)
# Short names of passwords, but not reports of tests: "pass: 12", "--- pass: TestLogin".
SHORT = (
    r"(?<!--- )\bpass(?!\s*[:=]\s*\d{1,3}(?:[\s,;]|$))|(?-i:(?<=[a-z])(?<!by)Pass)|(?-i:\b[pP]wd)"
)
PASSWORDS = r"passw(?:or)?d|passphrase|[_-]pass|[_-]pwd"
# The end of a name whose value is a secret: DB_PASSWORD, apiKey, client-secret, next_token.
NAMES = (
    rf"(?:(?i:{PASSWORDS}|{SHORT}|secret|token|credentials?|authorization"
    r"|(?:api|auth|access|secret|private|signing|encryption|master|account|session)[_-]?key"
    rf"|access[_-]?key[_-]?id|signature|[?&]sig)|{KEY}){PARTS}"
)
SCHEME = r"(?:(?i:Bearer|Basic|Digest|Token|ApiKey|Negotiate)\s+)?"
# Values that are not masked: words for "not set", and ARNs, which only say where a secret is.
HARMLESS = r"(?!(?i:null|none|<?nil>?|undefined|unset|empty|true|false)(?:[\s,;\"'&)}\]\\]|$)|arn:)"
# A value that looks like no word of a sentence. In "invalid token: expired" there is none.
ODD = r"(?=\S{0,99}(?:\d|[a-z][A-Z]|[A-Za-z][!@#$%^*+=~]))"
# A line that says what is wrong with a password has one of these words before the name (WRONG), or one of
# those of TALK among the first words after it.
WRONG = r"(?i:invalid|wrong|bad|incorrect|missing|weak|expired|empty|unknown|no)"
TALK = (
    r"(?!(?:\S{1,40}[ \t]+){0,3}(?i:is|was|are|has|must|may|can|cannot|could|should|does|did|do|not|no|too"
    r"|for|from|required|invalid|incorrect|wrong|missing|expired|failed|refused|rejected|denied|mismatch"
    r"|reset|changed|updated|at|user)\b)"
)
WORDS = r"[^\s,;\"'(){}\[\]]{1,100}(?:[ \t]+[\w'!?.-]{1,60}(?=[\s,;)}\]]|$))+"
# An image (shop/token:v2.0.1) and the ARN of a secret have the same form as a name with a value after it.
NO_IMAGE = r"(?<![\w./-])(?<!\d{12}:)"
NO_VERSION = r"(?!v?\d+\.\d[\w.-]*(?:\s|$))"
HOST = r"(?=@(?!sha256:))"
BASE64 = r"[A-Za-z0-9+/]"

AWS_SECRET_KEY = (  # two digits in it rule out most paths and names
    rf"(?={BASE64}{{0,39}}[a-z])(?={BASE64}{{0,39}}[A-Z])(?=(?:[A-Za-z+/]{{0,39}}\d){{2}})"
    rf"{BASE64}{{40}}"
)
TOKENS = (  # of GitHub, GitLab, npm, Slack, Stripe, SendGrid, providers of language models, and Google
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|npm_\w{30,}|xox[a-z]-[\w-]{8,}"
    r"|xapp-[\w-]{8,}|[rs]k_(?:live|test)_\w{8,}|whsec_\w{16,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|sk-[\w-]{32,}|AIza[\w-]{35}"
)

URL = (
    # The password of a URL, even if it is not encoded as it should be. A port before a path is not one.
    r"(\b[A-Za-z][\w+.-]{0,20}://[^\s:/@\"'\[]{0,100}:)(?!\d{1,5}[/?#,])"
    rf"(?:[^\s\"'?#]{{1,200}}{HOST}|[^\s\"'/]{{1,200}}{HOST}|[^\s\"']{{1,200}}{HOST})"
)
PHRASE = (
    # A password of several plain words: all words up to the next pair of name and value.
    rf"(?m)^(?!.*\b{WRONG}[ \t]+(?i:password|passphrase))"
    rf"(.*?(?i:{PASSWORDS}){PARTS}\s*:[ \t]+){HARMLESS}{TALK}{WORDS}"
)
STRUCT = (
    # A struct as Go prints it: {User:app Password:letmein}.
    rf"((?<=[{{ ])\w{{0,40}}?{NAMES}:){HARMLESS}[^\s{{}}\"',](?:[^\n{{}}\"',]{{0,100}}?)"
    r"(?=\}|[ ]\w{1,40}(?=:)[^\n{}]{0,200}(?:\}|[:&]\{))"
)

# Of each match, the first group stays, and MASK replaces the rest.
PATTERNS = (
    # A private key in one line, with backslashes if it is a text in JSON.
    r"(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)[A-Za-z0-9+/=\s\\]+",
    # A line of a key or certificate whose BEGIN line is not among the texts.
    rf"^(\s*)(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d){BASE64}{{60,}}={{0,2}}\s*$",
    URL,
    # The address of a MySQL database for Go's driver: user:password@tcp(host:port)/name.
    r"((?<![\w.-])[\w.-]{1,80}:)[^\s\"']{1,200}(?=@(?:tcp[46]?|udp|unix|cloudsql\w*)?\()",
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/+-]+",
    r"()(?<![\w-])eyJ[\w-]{10,}(?:\.[\w-]*)+",  # a JSON Web Token
    r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # the ID of an AWS access key
    rf"()(?<![\w+/=.-]){AWS_SECRET_KEY}(?![\w+/=.-])",
    rf"()\b(?:{TOKENS})",
    rf"(\b(?:Bearer|Basic)\s+){ODD}[^\s,\"']{{8,}}",
    r"(?i)(\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\"'\s][^\"']*",
    PHRASE,
    rf"(?m)^([ \t]*[\w.-]*{NAMES}[ \t]*=[ \t]*){HARMLESS}{TALK}{WORDS}",
    STRUCT,
    # A list of values.
    rf"({NAMES}\\*[\"']?\s*[:=]>?\s*\[)(?=\s*[bru]?\\*[\"'])[^\]]+",
    # A value in quotes, which are escaped if the text is JSON within JSON; then values without quotes.
    rf"({NAMES}\\*[\"']?\s*[:=]>?\s*{SCHEME}[bru]?\")(?!\"){HARMLESS}(?:[^\"\\]|\\.)+",
    rf"({NAMES}\\*[\"']?\s*[:=]>?\s*{SCHEME}[bru]?'){HARMLESS}[^']+",
    rf"({NAMES}\\+\"\s*[:=]\s*\\+\"{SCHEME}){HARMLESS}[^\"\\]+",
    rf"({NAMES}[\"']?(?:=>?|\s+=>?\s+){SCHEME}){HARMLESS}[^\s&;\"']+",
    rf"({NAMES}(?:[\"']\s*:\s*|\s*:\s+){SCHEME}){HARMLESS}{ODD}[^\s,\"'}}\]]{{6,}}",
    rf"{NO_IMAGE}([\w.-]{{0,40}}{NAMES}:){HARMLESS}{NO_VERSION}{ODD}[^\s,\"'}}\]]{{6,}}",
    rf"(?m)^([ \t]*[\w.-]*{NAMES}\s*:\s+){HARMLESS}[^\s\"']+\s*$",  # nothing else in the line
    rf"((?<![\w-])--?[\w-]{{0,40}}{NAMES}\s+){HARMLESS}{ODD}[^\s\"'-]\S*",
)

BEGIN = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")
END = re.compile(r"-----END [A-Z ]*PRIVATE KEY")
KEY_LINE = re.compile(r"\s*(?:[A-Za-z0-9+/=]+|(?:Proc-Type|DEK-Info|Version|Comment): .*|)\s*$")


def masked(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts as `redacted` returns them, but UNSEARCHED in place of each if that fails.

    A deployment must come to its end and people must learn of it, whatever a text has in it.
    """
    try:
        # An invisible character in the middle of a secret would hide the secret from the search.
        return redacted([visible(text) for text in texts])
    except Exception:
        logger.exception("what may hold secrets can't be searched for them")
        return tuple(UNSEARCHED if text else "" for text in texts)


def redacted(texts: Sequence[str]) -> tuple[str, ...]:
    """The texts, in the same order, with MASK in place of what looks like a secret.

    A private key may span several texts, as it spans lines of a log.
    """
    clean = list(texts)
    for number in _lines_of_keys(clean):
        clean[number] = MASK
    for pattern in _compiled():
        clean = [pattern.sub(rf"\1{MASK}", text) for text in clean]
    return tuple(clean)


@cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    # Compiled when the first text is searched, because that takes longer than most imports.
    return tuple(re.compile(pattern) for pattern in PATTERNS)


def _lines_of_keys(texts: Sequence[str]) -> set[int]:
    """The indexes of the texts within a private key, even if its BEGIN or END line is missing."""
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
