"""Keeps passwords out of what a run leaves: in clear, and as logs and files write them otherwise.

Found are a secret itself, its base64 (standard and URL-safe, at each of the three alignments, so also as a part of
`user:password` or of a whole document), its hexadecimal digits, its UTF-16, and each mixture of its characters with
their escapes in URLs, JSON, XML, Python and shells. Not found are a secret that is split over lines, shortened or
reversed, and what is compressed: `looks_compressed` tells the latter.
"""

from __future__ import annotations

import base64
import re
import string
import sys
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, AnyStr, Final, Generic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

MASK: Final = "***"
_SHORTEST_SECRET: Final = 6
"""A shorter one would hit plain words."""
_SHORTEST_LINE: Final = 16
"""Of a secret of several lines, such as a key, each that is as long as this is a secret too: logs are read by line."""
_CHUNK: Final = 1 << 20
_BASE64: Final = string.ascii_letters + string.digits + "+/-_"
_LAST_OF_LATIN_1: Final = 0xFF
_BACKSLASH: Final = r"\\{1,4}"
"""One, or more where text with escapes was escaped again."""
_XML_NAMES: Final = {"<": "lt", ">": "gt", "&": "amp", '"': "quot", "'": "apos"}
_SHORT_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_XML_CHARACTERS: Final = {name: character for character, name in _XML_NAMES.items()}
_LONG_ESCAPES: Final = {letter: character for character, letter in _SHORT_ESCAPES.items()}
_COMPRESSED: Final = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c")
"""How gzip, zip, bzip2, xz, zstd and 7z begin."""


def looks_compressed(start: bytes) -> bool:
    """Return whether a file that starts so is compressed: what is in it can't be found."""
    return start.startswith(_COMPRESSED)


class Redactor:
    """Replaces secrets; it learns of them as a run goes on, and may be asked in any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know some secrets."""
        self._secrets: frozenset[str] = frozenset()
        self._finder: _Finder | None = None
        self._lock = threading.Lock()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Know further secrets; one of less than six characters is not looked for."""
        found = {each for secret in secrets for each in _parts(secret)}
        with self._lock:
            if not found <= self._secrets:
                self._secrets |= found
                self._finder = _Finder(self._secrets)

    def text(self, text: str) -> str:
        """Return a text with `***` in the place of each secret."""
        finder = self._finder
        return _joined(text, finder.in_text(text), MASK) if finder else text

    def name(self, name: str) -> str:
        """Return the name of a file or folder with `redacted` in the place of each secret: stars are no part of one."""
        finder = self._finder
        return _joined(name, finder.in_text(name), "redacted") if finder else name

    def copy(self, source: IO[bytes], target: IO[bytes], size: int | None = None) -> None:
        """Copy a file, in pieces, with each secret replaced; in a binary file nothing changes its place.

        Args:
            source: Read from where it stands.
            target: Is written.
            size: How many bytes to read at most.
        """
        pieces = _pieces(source, size)
        for piece in _redacted(self._finder, pieces) if self._finder else pieces:
            target.write(piece)


class _Finder:
    """Finds secrets; what looks for escapes, which takes long, does so only where there is one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest comes first: one secret may begin with another.
        secrets = sorted(secrets, key=lambda secret: (-len(secret), secret))
        plain = [form for secret in secrets for form in _plain_forms(secret)]
        wide = [_Form(secret.encode(codec, "surrogatepass")) for secret in secrets for codec in _WIDE]
        self._in_text = _Literals(plain)
        self._in_bytes = _Literals([*(form.as_bytes() for form in plain), *wide])
        escaped = "|".join("".join(map(_any_form, secret)) for secret in secrets)
        self._escaped = re.compile(escaped)
        self._escaped_bytes = re.compile(_to_bytes(escaped))
        self._escapes = _Escapes(secrets)
        self.longest = max(map(len, secrets)) * _LONGEST_FORM

    def in_text(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets start and end, in order and apart."""
        spans = self._in_text.spans(text)
        if self._escapes.hide_one_in(text):
            spans += [match.span() for match in self._escaped.finditer(text)]
        return _apart(spans)

    def in_bytes(self, data: bytes) -> list[tuple[int, int]]:
        """Return where secrets start and end, in order and apart."""
        spans = self._in_bytes.spans(data) if self._in_bytes.any_in(data) else []
        if self._escapes.hide_one_in(data):
            spans += [match.span() for match in self._escaped_bytes.finditer(data)]
        return _apart(spans)


@dataclass(frozen=True)
class _Form(Generic[AnyStr]):
    """A secret as it may stand in a text; base64 shares a character with what stands before and after it."""

    text: AnyStr
    shares_first: bool = False
    shares_last: bool = False

    def as_bytes(self: _Form[str]) -> _Form[bytes]:
        return _Form(_to_bytes(self.text), self.shares_first, self.shares_last)


class _Literals(Generic[AnyStr]):
    """Finds texts that are known to the letter."""

    def __init__(self, forms: Iterable[_Form[AnyStr]]) -> None:
        self._forms: dict[AnyStr, _Form[AnyStr]] = {form.text: form for form in forms}
        ordered = sorted(self._forms, key=len, reverse=True)
        self._pattern: re.Pattern[AnyStr] = re.compile(_alternatives(ordered))

    def any_in(self, data: AnyStr) -> bool:
        """Return whether one is there, which is faster for much data than to say where."""
        return any(text in data for text in self._forms)

    def spans(self, data: AnyStr) -> list[tuple[int, int]]:
        return [self._whole(data, match) for match in self._pattern.finditer(data)]

    def _whole(self, data: AnyStr, match: re.Match[AnyStr]) -> tuple[int, int]:
        form, (start, end) = self._forms[match[0]], match.span()
        if form.shares_first and _is_base64(data[start - 1 : start]):
            start -= 1
        if form.shares_last and _is_base64(data[end : end + 1]):
            end += 1
        return start, end


class _Escapes:
    """Tells where secrets may be hidden by escapes."""

    def __init__(self, secrets: Sequence[str]) -> None:
        written = {form for each in secrets for form in (each, _as_latin_1(_to_bytes(each)), _as_units(each))}
        self._plain = written | {form.replace(" ", "+") for form in written}
        special = {character for secret in secrets for character in secret if not character.isalnum()}
        self._marks = ("%", "&", "\\", *(["'\"'"] if "'" in special else []))
        names = [name for character, name in _XML_NAMES.items() if character in special]
        letters = [re.escape(_SHORT_ESCAPES.get(character, character)) for character in special]
        # Only escapes of what secrets are made of: others, of which logs are full, need not be undone.
        octets = {
            *b"".join(map(_to_bytes, secrets)),
            *(ord(c) for secret in secrets for c in secret if ord(c) <= _LAST_OF_LATIN_1),
        }
        pair = _hexadecimal(octets)
        plain = all(secret.isascii() for secret in secrets)
        unit = f"00{pair}" if plain else "[0-9a-fA-F]{4}"
        self._escape = re.compile(
            rf"%(?:25)*(?P<byte>{pair})|\\\\*(?:u(?P<unit>{unit})|x(?P<hex>{pair}))"
            r"|&(?:amp;)?#(?P<number>[0-9]{1,9});|&(?:amp;)?#[xX](?P<digits>[0-9a-fA-F]{1,8});"
            + (f"|&(?:amp;)?(?P<name>{'|'.join(names)});" if names else "")
            + (f"|\\\\\\\\*(?P<letter>{'|'.join(letters)})" if letters else "")
            + ("|'\"'\"(?P<quote>')" if "'" in special else "")
        )

        # To undo escapes in a secret that looks like one itself would hide it.
        self._ambiguous = any("\\" in each or each[-1] in "%&" or self._escape.search(each) for each in secrets)

    def hide_one_in(self, data: str | bytes) -> bool:
        """Return whether a secret is there once escapes are undone."""
        text = data if isinstance(data, str) else _as_latin_1(data)
        if not any(mark in text for mark in self._marks):
            return False
        if self._ambiguous:
            return True
        plain = self._escape.sub(_unescaped, text)
        return any(secret in plain for secret in self._plain)


_WIDE: Final = ("utf-16-le", "utf-16-be")
_LONGEST_FORM: Final = 64
"""Bytes that one character may take: each of its UTF-8 bytes as `%252525XX`, or the shell's way with quotes."""


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with each secret of six characters or more replaced by `***`."""
    return Redactor(secrets).text(text)


def redact_files(folder: Path, secrets: Iterable[str]) -> None:
    """Redact every file below a folder: a connection string is easily part of a failed assertion."""
    redactor = Redactor(secrets)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            draft = path.with_name(f"{path.name}.redacted")
            with path.open("rb") as source, draft.open("wb") as target:
                redactor.copy(source, target)
            draft.replace(path)


def _parts(secret: str) -> set[str]:
    """Return what is to be looked for so that nothing of a secret is shown."""
    lines = {line.strip() for line in secret.splitlines()}
    long = {line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----")}
    return {each for each in (secret, secret.strip(), *long) if len(each.strip()) >= _SHORTEST_SECRET}


def _pieces(source: IO[bytes], size: int | None) -> Iterator[bytes]:
    left = size
    while piece := source.read(_CHUNK if left is None else min(_CHUNK, left)):
        left = None if left is None else left - len(piece)
        yield piece


def _joined(text: str, spans: list[tuple[int, int]], mask: str) -> str:
    if not spans:
        return text
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return mask.join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _redacted(finder: _Finder, pieces: Iterator[bytes]) -> Iterator[bytes]:
    kept, binary = b"", None
    for piece in pieces:
        binary = b"\0" in piece if binary is None else binary
        data = kept + piece
        # What starts later may go on in the next piece.
        redacted, done = _start_redacted(finder, data, len(data) - finder.longest, binary=binary)
        yield redacted
        kept = data[done:]
    yield _start_redacted(finder, kept, len(kept), binary=bool(binary))[0]


def _start_redacted(finder: _Finder, data: bytes, until: int, *, binary: bool) -> tuple[bytes, int]:
    """Return the start of some data with each secret that begins in it replaced, and how much that start is."""
    parts, done = [], 0
    for start, end in finder.in_bytes(data):
        if start >= until:
            break
        parts += [data[done:start], _mask(data[start:end], binary=binary)]
        done = end
    end = max(until, done, 0)
    return b"".join([*parts, data[done:end]]), end


def _mask(found: bytes, *, binary: bool) -> bytes:
    if not binary:
        return MASK.encode()
    # Every second byte of UTF-16 is null as a rule, and stays so.
    return re.sub(rb"[^\0]", b"*", found)


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that overlap as one."""
    if not spans:
        return spans
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _plain_forms(secret: str) -> Iterator[_Form[str]]:
    """Yield a secret, its base64 after none, one or two other bytes of a group of three, and its digits."""
    data = _to_bytes(secret)
    yield _Form(secret)
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode()
        # The characters that hold bits of the neighbours as well are not known, but tell of the secret.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        shares = (before > 0, (before + len(data)) % 3 > 0)
        yield _Form(text[first:last], *shares)
        yield _Form(text[first:last].replace("+", "-").replace("/", "_"), *shares)
    yield _Form(data.hex())
    yield _Form(data.hex().upper())


def _any_form(character: str) -> str:
    """Return an expression for a character or any of its escapes."""
    data = _to_bytes(character)
    units = character.encode("utf-16-be", "surrogatepass")
    code = ord(character)
    forms = [
        re.escape(character),
        "".join(f"%(?:25){{0,3}}{_digits(f'{byte:02x}')}" for byte in data),
        "".join(f"{_BACKSLASH}u{_digits(units[at : at + 2].hex())}" for at in range(0, len(units), 2)),
        "".join(f"{_BACKSLASH}x{_digits(f'{byte:02x}')}" for byte in data),
        f"&(?:amp;)?#0{{0,4}}{code};",
        f"&(?:amp;)?#[xX]0{{0,4}}{_digits(f'{code:x}')};",
    ]
    if code <= _LAST_OF_LATIN_1:
        forms.append(f"{_BACKSLASH}x{_digits(f'{code:02x}')}")
    if name := _XML_NAMES.get(character):
        forms.append(f"&(?:amp;)?{name};")
    if letter := _SHORT_ESCAPES.get(character):
        forms.append(f"{_BACKSLASH}{letter}")
    if character == "\\":
        forms.append(_BACKSLASH)
    elif not character.isalnum():
        forms.append(f"{_BACKSLASH}{re.escape(character)}")
    forms += {" ": [r"\+"], "'": ["'\"'\"'"]}.get(character, [])
    return f"(?:{'|'.join(dict.fromkeys(forms))})"


def _hexadecimal(octets: set[int]) -> str:
    """Return an expression for the two hexadecimal digits, in either case, of any of some bytes."""
    by_first: dict[str, str] = {}
    for octet in sorted(octets):
        first, second = f"{octet >> 4:x}", f"{octet & 15:x}"
        by_first[first] = by_first.get(first, "") + second + (second.upper() if second.isalpha() else "")
    return f"(?:{'|'.join(f'{_digits(first)}[{seconds}]' for first, seconds in by_first.items())})"


def _digits(digits: str) -> str:
    """Return an expression for hexadecimal digits in either case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _unescaped(escape: re.Match[str]) -> str:
    kind, text = escape.lastgroup, escape[escape.lastgroup or 0]
    match kind:
        case "byte" | "hex" | "unit" | "digits":
            code = int(text, 16)
        case "number":
            code = int(text)
        case "name":
            return _XML_CHARACTERS[text]
        case _:
            return _LONG_ESCAPES.get(text, text)
    return _as_units(chr(code)) if code <= sys.maxunicode else escape[0]


def _as_units(text: str) -> str:
    """Return each of UTF-16's units as a character: what JSON escapes."""
    data = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(int.from_bytes(data[at : at + 2])) for at in range(0, len(data), 2))


def _as_latin_1(data: bytes) -> str:
    """Return each byte as a character: what is escaped in a URL."""
    return data.decode("latin-1")


def _to_bytes(text: str) -> bytes:
    # Neither kind of surrogate is refused: what isn't UTF-8 in a variable, and half a pair.
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass")


def _is_base64(character: str | bytes) -> bool:
    text = character if isinstance(character, str) else _as_latin_1(character)
    return text != "" and text in _BASE64


def _alternatives(texts: list[AnyStr]) -> AnyStr:
    bar: Any = "|" if isinstance(texts[0], str) else b"|"
    joined: AnyStr = bar.join(map(re.escape, texts))
    return joined
