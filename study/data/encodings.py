"""Detect the encoding of a text file from its bytes."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from study.errors import UserError

REMEDY = "set [data] encoding to the right one, such as cp1250, cp1251, shift_jis, gb18030 or utf-16"
_SAMPLE = 20_000  # number of non-ASCII characters that are inspected to detect the script
_JAPANESE = "\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
# Encodings of other scripts, the strictest first: a character class that must occur, and one that nearly all non-ASCII
# characters must match.
_SCRIPTS = (
    ("cp932", "[\u3040-\u30ff]", f"[{_JAPANESE}]"),
    ("euc_jp", "[\u3040-\u30ff]", f"[{_JAPANESE}]"),
    ("cp1251", "[А-я]", "[А-яЁёІіЇїЄєҐґЎў№«»—–…°]"),
    ("cp1253", "[α-ω]", "[Ά-ώ«»—–…°]"),
    ("euc_kr", "[가-힣]", "[가-힣]"),
    ("gb2312", "[\u4e00-\u9fff]", "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"),
)
_LEAST_SHARE = 0.9


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file, from its byte order mark or else by trying encodings on the whole file.

    Raises:
        UserError: If the file is binary or no encoding fits.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in start:
        raise UserError(
            f"{path.name} seems to be binary (there is a zero byte at its start); if it is text, set [data] encoding"
        )
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if _beyond_ascii(path, "utf-8") is not None:
        return "utf-8"
    western = _beyond_ascii(path, "cp1252")
    if western is not None and _is_western(western):
        return "cp1252"
    for encoding, needed, letters in _SCRIPTS:
        runs = _beyond_ascii(path, encoding)
        if runs is not None and _is_in_script("".join(runs), needed, letters):
            return encoding
    raise UserError(f"{path.name} is encoded in neither utf-8 nor cp1252 (Western European); {REMEDY}")


def is_valid(path: Path, encoding: str) -> bool:
    """Return whether a whole file is valid text in an encoding."""
    return _beyond_ascii(path, encoding) is not None


def wrong_encoding(path: Path, encoding: str, error: UnicodeDecodeError) -> UserError:
    """Return the error for a text file that is not in the expected encoding."""
    return UserError(
        f"{path.name} is not valid {encoding} (byte 0x{error.object[error.start]:02x} cannot be decoded); "
        f"set [data] encoding to the right one, such as cp1252 or utf-16"
    )


def _beyond_ascii(path: Path, encoding: str) -> list[str] | None:
    """Return the first runs of non-ASCII characters of a file, or None if the file is not valid in the encoding."""
    runs: list[str] = []
    length = 0
    try:
        for text in _blocks(path, encoding):
            if length < _SAMPLE and not text.isascii():
                found = "".join(each if ord(each) > 127 else " " for each in text[: 4 * _SAMPLE]).split()
                runs += found
                length += sum(map(len, found))
    except UnicodeDecodeError:
        return None
    return runs


def _blocks(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _is_western(runs: list[str]) -> bool:
    """Whether non-ASCII letters occur singly or in pairs, as in Köln or Saône, rather than as whole words."""
    return sum(len(run) for run in runs if len(run) > 2) * 2 <= sum(map(len, runs))


def _is_in_script(text: str, needed: str, letters: str) -> bool:
    return bool(re.search(needed, text)) and len(re.findall(letters, text)) >= _LEAST_SHARE * len(text)
