"""What is blotted out of a container's log, and what has to stay readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.redaction import MASK, redacted
from tests.support.builders import DIGEST, NEW, TOPIC, URI, execution
from tests.support.stopped_reasons import MAY_DO_BETTER, NEVER

# Made up, and put together here so that nobody's scanner takes them for real ones.
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N"
KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLE0KY"
GITHUB = "ghp_" + "a1B2" * 9
SLACK = "xoxb" + "-123456789012-abcdefGHIJKL"
HOOK = "T00000000/B00000000/" + "x1Y2" * 6
STRIPE = "sk_live_" + "4eC39HqLyjWDarjt"
SENDGRID = "SG." + "a1B2c3D4e5F6g7H8i9J0k1" + "." + "Zz9_" * 10 + "-Zz"
PEM = "MIIEpAIBAAKCAQEA7bq0sx1Zc" + "9" * 39

SECRETS = {
    # by what stands before them
    "password=hunter2": "hunter2",
    "DB_PASSWORD=hunter2 DB_HOST=db": "hunter2",
    "PGPASSWORD=swordfish": "swordfish",
    "MYSQL_PASSWORD_2=swordfish": "swordfish",
    "SMTP_PASS=swordfish": "swordfish",
    "Server=db;Uid=api;Pwd=swordfish;": "swordfish",
    'time=03:00 level=error api_key="sword fish" host=db': "sword fish",
    "clientSecret = swordfish": "swordfish",
    "{:secret=>swordfish}": "swordfish",
    "GET /?access_token=swordfish&page=2": "swordfish",
    "AccountKey=c3dvcmRmaXNo==;EndpointSuffix=core": "c3dvcmRmaXNo",
    "https://x.blob.core.windows.net/a?sp=r&sig=swordfish": "swordfish",
    "?X-Amz-Signature=0123abcd&X-Amz-Date=2026": "0123abcd",
    '{"password": "sword, \\"fish\\""}': "fish",
    '{"user":"api","dbPassword":"swordfish","port":5432}': "swordfish",
    "{'token': 'swordfish'}": "swordfish",
    json.dumps({"msg": json.dumps({"password": "swordfish"})}): "swordfish",
    "user:api password:hunter2": "hunter2",
    "{token:aB3dE5fG,port:80}": "aB3dE5fG",
    "password: swordfish": "swordfish",
    "  db.password: swordfish  ": "swordfish",
    "connecting with password: hunter2 and user: api": "hunter2",
    "config: {token: aB3dE5fG, port: 80}": "aB3dE5fG",
    "--db-password hunter2 --port 80": "hunter2",
    "Authorization: Bearer swordFish123": "swordFish123",
    "authorization: Basic YXBpOnN3b3Jk": "YXBpOnN3b3Jk",
    '"Authorization": "Bearer swordfish"': "swordfish",
    "curl -H 'X-Api-Key: sword1fish'": "sword1fish",
    "> Bearer abcdef0123456789": "abcdef0123456789",
    "Cookie: session=swordfish; theme=dark": "swordfish",
    "Set-Cookie: id=swordfish; Path=/": "swordfish",
    "DB_PASSWORD_PROD=hunter2": "hunter2",
    "API_KEY_PROD=abc123": "abc123",
    "SECRET_KEY_BASE=abcdef0123456789": "abcdef0123456789",
    "secret_key_base: abcdef0123456789": "abcdef0123456789",
    '{"db_password_staging": "hunter"}': "hunter",
    "STRIPE_KEY=swordfish": "swordfish",
    "{'STRIPE_KEY_LIVE': 'swordfish'}": "swordfish",
    "PASS=hunter2": "hunter2",
    "pass: hunter2": "hunter2",
    "user=api pass=swordfish": "swordfish",
    "dbPass=swordfish": "swordfish",
    '{"password":["hunter2"]}': "hunter2",
    '{"password": ["one", "hunter2"]}': "hunter2",
    "passwords = {'password': ['hunter2']}": "hunter2",
    "'password': b'hunter2'": "hunter2",
    "{'password': b\"hunter2\"}": "hunter2",
    "password=b'hunter2'": "hunter2",
    "{User:app Password:letmein}": "letmein",
    "config &{User:app Password:letmein Pool:{Size:3}}": "letmein",
    "{Password:let me in Port:5432}": "me in",
    "password: correct horse battery staple": "horse",
    "db.password: correct horse battery staple": "staple",
    "INFO loaded password: correct horse battery staple": "staple",
    "config: {password: correct horse, port: 80}": "horse",
    "password=correct horse battery staple": "horse",
    "token=abc def": "def",
    # by where they stand
    "postgres://api:swordfish@db:5432/shop": "swordfish",
    "redis://:swordfish@cache/0": "swordfish",
    "postgres://api:sword@fish@db/shop": "fish",
    "amqps://api:sw0rd!%40@mq.example.com": "sw0rd",
    "postgres://app:p@ss/word1@db": "word1",
    "postgres://app:pass/word1@db/shop": "word1",
    "postgres://app:pa?ss/word1@db/shop": "word1",
    "root:hunter2@tcp(db:3306)/app": "hunter2",
    "dsn=api:p@ss/w:rd@unix(/tmp/mysql.sock)/app": "w:rd",
    f"posting to https://hooks.slack.com/services/{HOOK} failed": HOOK,
    # by themselves
    f"got {JWT}": JWT,
    f"signed by {KEY_ID}": KEY_ID,
    f"signed with {SECRET_KEY}": SECRET_KEY,
    f"cloning with {GITHUB}": GITHUB,
    f"bot {SLACK}": SLACK,
    f"charging with {STRIPE}": STRIPE,
    f"mailing with {SENDGRID}": SENDGRID,
    f"-----BEGIN RSA PRIVATE KEY-----\\n{PEM}\\n-----END RSA PRIVATE KEY-----": PEM,
    f"{PEM}": PEM,
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.items(), ids=SECRETS)
def test_a_text_that_looks_like_a_secret_is_blotted_out(text, secret):
    [clean] = redacted([text])

    assert secret not in clean
    assert MASK in clean


READABLE = [
    f"{URI}@{DIGEST}",
    f"image {URI}:v2.1.0-rc.1 has digest {DIGEST}",
    "ab" * 32,
    "task 0123456789abcdef0123456789abcdef stopped",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "request 4f3c2b1a-0d9e-4c8b-a7f6-e5d4c3b2a190",
    f"arn {NEW} {TOPIC} {execution()}",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf",
    "DB_SECRET=arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf",
    '{"password": null, "token": "", "secret": "undefined"}',
    "DB_PASSWORD=undefined",
    "api_key=None, retries=3",
    "TOKEN_FILE=/var/run/secrets/token",
    "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/eks/token",
    "password= host=db",
    "PWD=/app OLDPWD=/",
    "max_tokens=4096 token_type=access",
    'FATAL: password authentication failed for user "api"',
    "SyntaxError: Unexpected token } in JSON at position 42",
    "Unexpected token: expected end of file",
    "invalid token: expired",
    "error: invalid signature: mismatch",
    "missing --token argument",
    "Basic authentication failed",
    "Bearer authentication required",
    "secret key not found in environment",
    "dial tcp 10.0.3.17:5432: connect: connection refused",
    "https://api.example.com:8443/v1/users?mail=jo@example.com",
    "GET http://localhost:8080/health 200 12ms",
    "see https://docs.example.com/@scope/pkg",
    "at com.example.shop.OrderService2.placeTheOrder(OrderService2.java:42)",
    "/usr/local/lib/python3.13/site-packages/shop/app.py",
    "panic: runtime error: index out of range [3] with length 3",
    "Error: expected -----BEGIN PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "cookie banner is shown",
    (
        "alarm api-5xx is in ALARM: Threshold Crossed: 1 out of the last 1 datapoints [3.0 (22/11/26 "
        "02:58:00)] was greater than the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
    ),
    (
        "task 0123456789abcdef0123456789abcdef is unhealthy in target group api (Target.ResponseCodeMismatch)"
    ),
    "stopped: Essential container in task exited; container token-issuer, exit code 137, OutOfMemoryError",
    "auth-token:v2.0.1-rc.1 is running",
    "dial tcp: lookup https://secret:8443/health",
    "someone else has put token-issuer:43 on the service (ecs-svc/3)",
    "image shop/secret:v2.0.1 is quarantined on service production/token since 2026-11-22T02:59:00.000000Z",
    "primary key: id",
    "PRIMARY_KEY=id",
    "STRIPE_PUBLIC_KEY=pk KMS_KEY_ID=1234abcd",
    "ER_DUP_KEY: users.email_1 is there",
    "passed: 12",
    "pass: 12",
    "12 pass=12 fail=0",
    "--- PASS: TestLogin2 (0.00s)",
    "token expired",
    "first pass: laying out the page",
    "password: reset link sent to jo",
    "compass: north",
    "bypass: true",
    "BYPASS=1",
    "condition aws:SourceArn: arn:aws:ecs:eu-west-1:123456789012:service/production/api",
    "container api: exit code 1",
    "exit code 1",
    "PASSWORD_MIN_LENGTH=12 TOKEN_TTL=3600 SECRET_NAME=shop/db DB_PASSWORD_PROD_FILE=/run/db",
    "TOKEN_EXPIRED: 2026-11-22T02:59:00Z",
    "PASSWORD_NOT_SET: user42 has none",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/4f3c2b1a",
    "token_count=12 password_attempts=3",
    "password: must be at least 8 characters",
    "wrong password: try again later please",
    "password: authentication failed for user api",
    "{Token:<nil> Password:}",
    "pulling token:latest from docker://alpine:3.19@sha256:" + "ab" * 32,
    "http://[::1]:8080/v1/users?mail=jo@example.com",
    "https://api.example.com:8443/@scope/pkg",
    "mongodb://one:27017,two:27017/shop?owner=jo@example.com",
    "service api:v2@production",
    *NEVER,
    *MAY_DO_BETTER,
]


@pytest.mark.parametrize("text", READABLE)
def test_a_text_that_helps_to_find_a_fault_stays_readable(text):
    assert redacted([text]) == (text,)


def test_only_the_secret_is_blotted_out():
    assert redacted(
        [
            "postgres://api:swordfish@db:5432/shop refused",
            '{"user":"api","password":"swordfish","port":5432}',
            "Authorization: Bearer swordFish123, retry in 3 s",
            "postgres://app:p@ss/word1@db refused",
            "root:hunter2@tcp(db:3306)/app refused",
            "{User:app Password:letmein Port:80}",
            "DB_PASSWORD_PROD=hunter2 DB_HOST=db",
            "password: correct horse battery staple",
        ]
    ) == (
        "postgres://api:*****@db:5432/shop refused",
        '{"user":"api","password":"*****","port":5432}',
        "Authorization: Bearer *****, retry in 3 s",
        "postgres://app:*****@db refused",
        "root:*****@tcp(db:3306)/app refused",
        "{User:app Password:***** Port:80}",
        "DB_PASSWORD_PROD=***** DB_HOST=db",
        "password: *****",
    )


def lines_of_a_key() -> list[str]:
    return [
        "-----BEGIN RSA PRIVATE KEY-----",
        "Proc-Type: 4,ENCRYPTED",
        "",
        PEM,
        "c2hvcnQ=",
        "-----END RSA PRIVATE KEY-----",
    ]


def test_a_private_key_over_several_lines_is_blotted_out():
    clean = redacted(["loading", *lines_of_a_key(), "loaded"])

    assert clean == (
        "loading",
        "-----BEGIN RSA PRIVATE KEY-----",
        MASK,
        MASK,
        MASK,
        MASK,
        "-----END RSA PRIVATE KEY-----",
        "loaded",
    )


def test_a_private_key_whose_beginning_is_out_of_sight_is_blotted_out():
    assert redacted([*lines_of_a_key()[3:], "loaded"]) == (
        MASK,
        MASK,
        "-----END RSA PRIVATE KEY-----",
        "loaded",
    )


def test_a_private_key_whose_end_never_comes_leaves_the_rest_readable():
    clean = redacted([*lines_of_a_key()[:5], "panic: no key", "exit"])

    assert clean[3:] == (MASK, MASK, "panic: no key", "exit")


def test_an_empty_list_of_texts_stays_empty():
    assert redacted([]) == ()


WORDS = st.text(
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ!#%+/=._~-", min_size=8
)
SECRET_WORDS = WORDS.filter(lambda word: word[0].isalnum() and any(c.isdigit() for c in word[:-1]))
PLACES = st.sampled_from(
    [
        "password={}",
        "export API_TOKEN={} next",
        '{{"secret": "{}"}}',
        "Authorization: Bearer {}",
        "db_password: {}",
        "--password {}",
    ]
)


@given(PLACES, SECRET_WORDS)
def test_a_secret_is_blotted_out_whatever_characters_it_has(place, secret):
    assert redacted([place.format(secret)]) == (place.format(MASK),)


# What a pattern may start with again and again, and never come to an end.
ODD_PIECES = [
    *["PASSWORD_", "token", "password: a ", "secret.", "pass pass", "api_key\\\\", "x://a:", "a:"],
    *["{Password:a ", "a:b@", "--token-", "-----BEGIN ", "eyJ.", "Bearer ", "token=['", "aB3/"],
    *["_KEY", "password ", "A_A_", "Password:a a:a ", "password: a a,", '\\"token\\"'],
]


def test_long_odd_lines_are_read_through():
    """A pattern that tries each beginning with each end would not be done today."""
    longest = 4000
    lines = [(piece * longest)[:longest] for piece in ODD_PIECES]

    assert len(redacted(lines)) == len(ODD_PIECES)


@given(st.lists(st.text(max_size=60), max_size=5))
def test_every_text_keeps_its_place(texts):
    assert len(redacted(texts)) == len(texts)


@given(
    st.sampled_from(["digest sha256:{}", "task {}", "container {} exited", "id={}"]),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.sampled_from([32, 40, 64]),
)
def test_every_digest_and_id_stays_readable(place, digits, length):
    text = place.format(digits[:length])

    assert redacted([text]) == (text,)
