"""Blotting out what looks like a secret in texts that come from outside, before people read them.

It goes by what secrets look like and by what stands before them; it can't know them all. What helps to
find a fault has to stay readable: digests, ids, ARNs, names of images, and that a secret is not set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MASK = "*****"

# What may follow in a name: DB_PASSWORD_PROD, secret_key_base. Not what speaks of a secret without being one
# (TOKEN_FILE, PASSWORD_MIN_LENGTH), nor the code of an error (TOKEN_EXPIRED). Bounded, as is all that could
# be tried at each place of a long line.
ABOUT = (
    r"(?:FILE|PATH|DIR|ARN|NAME|TYPE|URL|URI|ENDPOINT|HOST|TTL|EXPIR\w*|LIFETIME|AGE|TIMEOUT|SECONDS"
    r"|MIN|MAX|LENGTH|SIZE|COUNT|LIMIT|VERSION|ALG|ALGORITHM|HEADER|FORMAT|POLICY|ISSUER|ENABLED|REQUIRED"
    r"|NOT|INVALID|MISSING|MISMATCH|REVOKED|UNKNOWN|ERROR|FAILED)(?![A-Z0-9])"
)
STAGES = r"base|prod(?:uction)?|staging|stage|dev(?:elopment)?|test|live|old|new|current|previous|primary"
PARTS = rf"(?:_?\d+)?(?:_(?!{ABOUT})[A-Z0-9]{{1,30}}|_(?:{STAGES})(?![a-z])){{0,4}}"
# Any KEY in capitals, but those that are known to be no secret.
KEY = (
    r"(?<=[A-Z0-9])(?<!PUBLIC)(?<!PRIMARY)(?<!FOREIGN)(?<!PARTITION)(?<!SORT)(?<!KMS)(?<!DUP)(?<!DUPLICATE)"
    r"_KEY"
)
# Neither how many tests passed nor which one did.
SHORT = (
    r"(?<!--- )\bpass(?!\s*[:=]\s*\d{1,3}(?:[\s,;]|$))|(?-i:(?<=[a-z])(?<!by)Pass)|(?-i:\b[pP]wd)"
)
PASSWORDS = r"passw(?:or)?d|passphrase|[_-]pass|[_-]pwd"
# What a name ends with whose value is a secret: DB_PASSWORD, apiKey, client-secret, next_token.
NAMES = (
    rf"(?:(?i:{PASSWORDS}|{SHORT}|secret|token|credentials?|authorization"
    r"|(?:api|auth|access|secret|private|signing|encryption|master|account|session)[_-]?key"
    rf"|access[_-]?key[_-]?id|signature|[?&]sig)|{KEY}){PARTS}"
)
SCHEME = r"(?:(?i:Bearer|Basic|Digest|Token|ApiKey|Negotiate)\s+)?"
# Words that say that there is no secret, and ARNs, which say only where it is.
HARMLESS = r"(?!(?i:null|none|<?nil>?|undefined|unset|empty|true|false)(?:[\s,;\"'&)}\]\\]|$)|arn:)"
# No word of a sentence: "invalid token: expired" is no secret.
ODD = r"(?=\S{0,99}(?:\d|[a-z][A-Z]|[A-Za-z][!@#$%^*+=~]))"
# Of a line that says what is wrong with a password, by a word before it or one of the first of what follows.
WRONG = r"(?i:invalid|wrong|bad|incorrect|missing|weak|expired|empty|unknown|no)"
TALK = (
    r"(?!(?:\S{1,40}[ \t]+){0,3}(?i:is|was|are|has|must|may|can|cannot|could|should|does|did|do|not|no|too"
    r"|for|from|required|invalid|incorrect|wrong|missing|expired|failed|refused|rejected|denied|mismatch"
    r"|reset|changed|updated|at|user)\b)"
)
WORDS = r"[^\s,;\"'(){}\[\]]{1,100}(?:[ \t]+[\w'!?.-]{1,60}(?=[\s,;)}\]]|$))+"
# Of what is written like a value without a space, an image or an ARN of a secret: shop/token:v2.0.1.
NO_IMAGE = r"(?<![\w./-])(?<!\d{12}:)"
NO_VERSION = r"(?!v?\d+\.\d[\w.-]*(?:\s|$))"
HOST = r"(?=@(?!sha256:))"
BASE64 = r"[A-Za-z0-9+/]"

AWS_SECRET_KEY = (  # of which a path or a name has rarely two digits
    rf"(?={BASE64}{{0,39}}[a-z])(?={BASE64}{{0,39}}[A-Z])(?=(?:[A-Za-z+/]{{0,39}}\d){{2}})"
    rf"{BASE64}{{40}}"
)
TOKENS = (  # of GitHub, GitLab, npm, Slack, Stripe, SendGrid, makers of language models, and Google
    r"gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|npm_\w{30,}|xox[a-z]-[\w-]{8,}"
    r"|xapp-[\w-]{8,}|[rs]k_(?:live|test)_\w{8,}|whsec_\w{16,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|sk-[\w-]{32,}|AIza[\w-]{35}"
)

URL = (
    # The password of a URL, which may hold what should be encoded; a port, with a path behind it, is none.
    r"(\b[A-Za-z][\w+.-]{0,20}://[^\s:/@\"'\[]{0,100}:)(?!\d{1,5}[/?#,])"
    rf"(?:[^\s\"'?#]{{1,200}}{HOST}|[^\s\"'/]{{1,200}}{HOST}|[^\s\"']{{1,200}}{HOST})"
)
PHRASE = (
    # Several plain words: all of what is left, as far as it is not a pair again.
    rf"(?m)^(?!.*\b{WRONG}[ \t]+(?i:password|passphrase))"
    rf"(.*?(?i:{PASSWORDS}){PARTS}\s*:[ \t]+){HARMLESS}{TALK}{WORDS}"
)
STRUCT = (
    # A struct as Go prints it: {User:app Password:letmein}.
    rf"((?<=[{{ ])\w{{0,40}}?{NAMES}:){HARMLESS}[^\s{{}}\"',](?:[^\n{{}}\"',]{{0,100}}?)"
    r"(?=\}|[ ]\w{1,40}(?=:)[^\n{}]{0,200}(?:\}|[:&]\{))"
)

# The first group of each stays as it is.
PATTERNS = (
    # A private key in one line; the backslashes are those of line ends within a JSON text.
    r"(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)[A-Za-z0-9+/=\s\\]+",
    # A line of one, or of another key or certificate, whose beginning is out of sight.
    rf"^(\s*)(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d){BASE64}{{60,}}={{0,2}}\s*$",
    URL,
    # A name of a MySQL database as Go's driver has it: user:password@tcp(host:port)/name.
    r"((?<![\w.-])[\w.-]{1,80}:)[^\s\"']{1,200}(?=@(?:tcp[46]?|udp|unix|cloudsql\w*)?\()",
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[\w/+-]+",
    r"()(?<![\w-])eyJ[\w-]{10,}(?:\.[\w-]*)+",  # a JSON Web Token
    r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # the id of AWS's access key
    rf"()(?<![\w+/=.-]){AWS_SECRET_KEY}(?![\w+/=.-])",
    rf"()\b(?:{TOKENS})",
    rf"(\b(?:Bearer|Basic)\s+){ODD}[^\s,\"']{{8,}}",
    r"(?i)(\b(?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\"'\s][^\"']*",
    PHRASE,
    rf"(?m)^([ \t]*[\w.-]*{NAMES}[ \t]*=[ \t]*){HARMLESS}{TALK}{WORDS}",
    STRUCT,
    # A list of values.
    rf"({NAMES}\\*[\"']?\s*[:=]>?\s*\[)(?=\s*[bru]?\\*[\"'])[^\]]+",
    # A value in quotes, which may be those of a JSON text within another; then one without.
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
