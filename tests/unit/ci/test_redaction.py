"""Passwords are kept out of what a run leaves, however they are written."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from floe_ci.redaction import Redactor, looks_compressed, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = "nNRS-abc_1234567"
ODD = "p@ss w'ord\"&<x\\y%41"
FOREIGN = "ünïcödé -\N{GRINNING FACE}pw"


def in_base64(secret: str) -> Iterator[str]:
    """Yield a secret's base64 at each alignment, alone and as a part of something longer."""
    for before in ("", "a", "ab", "user:", "floe:"):
        for after in ("", "x", "@host"):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                text = encode(f"{before}{secret}{after}".encode()).decode()
                yield text
                yield text.rstrip("=")


def escaped(secret: str) -> dict[str, str]:
    """Return a secret as others write it."""
    data = secret.encode()
    return {
        "plain": secret,
        "json": json.dumps(secret),
        "json in json": json.dumps(json.dumps(secret)),
        "json as it is": json.dumps(secret, ensure_ascii=False),
        "xml": html.escape(secret),
        "xml by number": "".join(f"&#{ord(character)};" for character in secret),
        "xml by hexadecimal number": "".join(f"&#x{ord(character):X};" for character in secret),
        "repr": repr(secret),
        "repr of bytes": repr(data),
        "url": quote(secret, safe=""),
        "form": quote_plus(secret),
        "url in url": quote(quote(secret, safe=""), safe=""),
        "wholly percent": "".join(f"%{byte:02x}" for byte in data),
        "wholly percent in capitals": "".join(f"%{byte:02X}" for byte in data),
        "half percent": "".join(
            f"%{ord(c):02x}" if at % 2 and c.isascii() else quote(c) for at, c in enumerate(secret)
        ),
        "hexadecimal": data.hex(),
        "hexadecimal in capitals": data.hex().upper(),
    }


def copied(redactor: Redactor, data: bytes) -> bytes:
    """Return what a file becomes in the results."""
    target = io.BytesIO()
    redactor.copy(io.BytesIO(data), target)
    return target.getvalue()


def test_redacted() -> None:
    """Secrets are replaced wherever they stand, the longer of two first, and short ones are left."""
    text = "password=hunter22 url=postgres://u:hunter22-long@h a.b+c1 abc acb+c1"

    assert redact(text, ["hunter22", "hunter22-long", "a.b+c1", "abc", ""]) == (
        "password=*** url=postgres://u:***@h *** abc acb+c1"
    )
    assert redact("x", []) == "x"


@pytest.mark.parametrize("form", escaped(PLAIN))
@pytest.mark.parametrize("secret", [PLAIN, ODD, FOREIGN], ids=["plain", "odd", "foreign"])
def test_escapes(secret: str, form: str) -> None:
    """A secret with its characters escaped, all or some, is replaced in lines and in files alike."""
    line = f"before {escaped(secret)[form]} after"
    told = Redactor([secret]).text(line)

    assert told.replace("\\", "").replace('"', "").replace("'", "").replace("b***", "***") == "before *** after"
    assert copied(Redactor([secret]), line.encode()).decode() == told


@pytest.mark.parametrize("secret", [PLAIN, ODD, FOREIGN, "abcdef"])
def test_base64(secret: str) -> None:
    """No character of a secret's base64 is left, whatever stands before and after it, in either alphabet."""
    redactor = Redactor([secret])
    for text in in_base64(secret):
        told = redactor.text(f"Authorization: Basic {text}")
        rest = told.removeprefix("Authorization: Basic ").replace("***", "", 1)
        assert "***" in told
        # Six bits of the secret, or fewer, in each character that is gone.
        assert len(text) - len(rest) >= len(secret.encode()) * 8 / 6
        assert copied(redactor, f"Authorization: Basic {text}".encode()).decode() == told


@pytest.mark.parametrize("secret", [PLAIN, ODD, FOREIGN])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16(secret: str, encoding: str) -> None:
    """A text in UTF-16 has the secret replaced, and can still be read."""
    told = copied(Redactor([secret]), f"before {secret} after".encode(encoding)).decode(encoding)
    assert told.startswith("before ***")
    assert told.endswith(" after")
    assert secret not in told


def test_secrets_become_known() -> None:
    """A secret that is learned of later is replaced from then on, beside those that were known."""
    redactor = Redactor(["first-secret"])
    assert redactor.text("first-secret second-secret") == "*** second-secret"
    redactor.add(["second-secret"])
    assert redactor.text("first-secret second-secret") == "*** ***"


def test_lines_of_a_key() -> None:
    """Of a secret of several lines each is one: logs are written by line. Its first and last line tell nothing."""
    kind = "PRIVATE KEY"
    key = f"-----BEGIN {kind}-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END {kind}-----\n"
    redactor = Redactor([key])
    assert [redactor.text(line) for line in key.splitlines()] == [
        f"-----BEGIN {kind}-----",
        "***",
        "***",
        f"-----END {kind}-----",
    ]


def test_secret_with_a_newline() -> None:
    """A secret from a file that ends in a newline is found without it."""
    assert Redactor(["hunter22\n"]).text("x=hunter22;") == "x=***;"


def test_name_of_a_file() -> None:
    """The name of a file holds no secret, and no character that names can't have elsewhere."""
    assert Redactor(["hunter22"]).name("dump-hunter22.sql") == "dump-redacted.sql"


@pytest.mark.parametrize("form", [PLAIN, base64.b64encode(f"user:{PLAIN}".encode()).decode(), quote(PLAIN)])
def test_no_border_hides_a_secret(form: str) -> None:
    """A secret is found wherever the border between two pieces of a file falls within it."""
    border = 1 << 20
    redactor = Redactor([PLAIN])
    for start in (border - len(form) - 1, *range(border - len(form), border, 5), border - 1, border):
        told = copied(redactor, b"x" * start + b" " + form.encode() + b" " + b"y" * 100)
        assert told.count(b"***") == 1
        assert told.startswith(b"x" * start)
        assert told.endswith(b" " + b"y" * 100)


def test_secret_at_each_end() -> None:
    """Secrets at the very start and end of a file of several pieces are replaced, and all else is kept."""
    random = Random(1)  # noqa: S311 - any text will do
    data = PLAIN.encode() + bytes(random.choices(b"abc \n", k=3 << 20)) + PLAIN.encode()
    told = copied(Redactor([PLAIN]), data)
    assert told == b"***" + data[len(PLAIN) : -len(PLAIN)] + b"***"


def test_binary_files_keep_their_places() -> None:
    """In a binary file a secret is covered and nothing is moved; one without a secret stays as it is."""
    redactor = Redactor([PLAIN, ODD])
    random = Random(2)  # noqa: S311 - any bytes will do
    data = b"SQLite format 3\0" + random.randbytes(3000) + PLAIN.encode() + b"\0tail"
    told = copied(redactor, data)
    assert told == data.replace(PLAIN.encode(), b"*" * len(PLAIN))
    archive = gzip.compress(random.randbytes(3 << 20))
    assert copied(redactor, archive) == archive


def test_bytes_of_no_encoding() -> None:
    """A file that isn't UTF-8 is kept byte by byte around the secret."""
    assert copied(Redactor([PLAIN]), b"\xff\xfe\x80 " + PLAIN.encode() + b" \xc3") == b"\xff\xfe\x80 *** \xc3"


def test_text_of_no_encoding() -> None:
    """Half a pair of surrogates, in a line or in a secret, disturbs nothing."""
    redactor = Redactor(["\ud800-secret", "\udcff-hidden"])
    assert redactor.text("\ud83d a \ud800-secret b \udcff-hidden") == "\ud83d a *** b ***"


@pytest.mark.parametrize("start", [gzip.compress(b"x", mtime=0), b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\x00"])
def test_compressed(start: bytes) -> None:
    """What is compressed is known by its first bytes."""
    assert looks_compressed(start)


def test_not_compressed() -> None:
    """Text isn't taken for compressed."""
    assert not looks_compressed(b"plain")


def test_only_part_of_a_file() -> None:
    """No more of a file is copied than asked for."""
    target = io.BytesIO()
    Redactor([PLAIN]).copy(io.BytesIO(b"0123456789"), target, 4)
    assert target.getvalue() == b"0123"
