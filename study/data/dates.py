"""Detect the format of dates and times, and parse text into timestamps."""

import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

ISO = "ISO8601"
ISO_WEEK, QUARTER = "ISO week", "quarter"
SECONDS, MILLISECONDS = "seconds since 1970", "milliseconds since 1970"
# A column that is not listed in `dates` is tried as dates only if its first cells match this pattern.
PATTERN = (
    r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|^\d{4}-(0[1-9]|1[0-2])$|^\d{4}-?W\d{2}|^\d{8}T\d|^\d{4}-?Q[1-4]$"
    r"|^\d{1,2}[ /-][A-Za-z]{3}|^[A-Za-z]{3,9}[ -]\d{1,4}|^[A-Za-z]{3},? (\d|[A-Za-z]{3} )"
)
DAY_FIRST, MONTH_FIRST = ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y"), ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y")
_SAMPLE = 50
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M:%S %z", " %H:%M:%S %z")
_OTHER_DAYS = ("%d.%m.%Y", "%Y/%m/%d", "%Y-%m-%d", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y",
               "%d %B %Y", "%d.%m.%y", "%d %b %y", "%a, %d %b %Y")  # fmt: skip
_WHOLE = ("%a %b %d %H:%M:%S %Y", "%d/%b/%Y:%H:%M:%S %z", "%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m", "%b %Y", "%B %Y",
          "%b-%Y", "%b-%y", "%m/%Y", "%Y/%m")  # fmt: skip
_ZONE = re.compile(r"(?<=[\dMm]) ?(UTC|GMT)$")
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?([1-7]))?")
_QUARTER = re.compile(r"(\d{4})-?Q([1-4])")
_DIGITS = {"%Y%m": r"\d{6}", "%Y%m%d%H%M": r"\d{12}", "%Y%m%d%H%M%S": r"\d{14}"}
_EPOCHS = {SECONDS: (r"\d{9,10}(\.\d*)?", "s"), MILLISECONDS: (r"\d{12,13}(\.\d*)?", "ms")}


def formats(day_first: bool | None) -> tuple[str, ...]:
    """Return the formats to try, in order. With day_first None, formats with the day first precede the others."""
    orders = {None: DAY_FIRST + MONTH_FIRST, True: DAY_FIRST, False: MONTH_FIRST}[day_first]
    with_clock = [day + clock for day in (*orders, *_OTHER_DAYS) for clock in _CLOCKS]
    return (ISO, *with_clock, *_WHOLE, ISO_WEEK, QUARTER, SECONDS, MILLISECONDS)


def other_order(form: str) -> str:
    """Return the format with day and month exchanged, or "" if their order is unambiguous."""
    for one, other in zip(DAY_FIRST + MONTH_FIRST, MONTH_FIRST + DAY_FIRST, strict=True):
        if form.startswith(one):
            return other + form.removeprefix(one)
    return ""


def matching_format(texts: pa.Array, day_first: bool | None, pattern: str = "") -> str:
    """Return the first known format that matches all texts, or "" if there is none.

    pattern: A regular expression that the first few texts must match.
    """
    sample = texts.slice(0, _SAMPLE)
    if len(sample) == 0 or not pc.all(pc.match_substring_regex(sample, pattern)).as_py():
        return ""
    return next((form for form in formats(day_first) if _fit(sample, form) and _fit(texts, form)), "")


def describe(texts: pa.Array, form: str, day_first: bool | None) -> str:
    """Describe how texts in a known format are read, with an example if it helps.

    Args:
        texts: At least one text. All texts match the format.
        form: The format.
        day_first: The value from the spec. If it is None, the description mentions the other order of day and month
            if that order fits as well.
    """
    if form == ISO:
        texts = texts.filter(pc.invert(pc.match_substring_regex(texts, _ISO_DAY)))
        if len(texts) == 0:
            return "dates with the year first"
    stamps = parse(texts.to_pandas(), form)
    other = other_order(form)
    telling = int((stamps.dt.day != stamps.dt.month).argmax()) if other else 0  # not 01/01/2024
    description = f"dates; {texts[telling].as_py()!r} is read as {stamps.iloc[telling]:%Y-%m-%d}"
    if not other:
        return description
    first, second = ("day", "month") if form.startswith(DAY_FIRST) else ("month", "day")
    description += f", with the {first} first"
    if day_first is None and _fit(texts, other):
        value = "false" if first == "day" else "true"
        description += f"; if the {second} comes first, set [data] day_first = {value}"
    return description


def _fit(texts: pa.Array, form: str) -> bool:
    return not parse(texts.to_pandas(), form).isna().any()


def parse(values: pd.Series, form: str) -> pd.Series:
    """Return texts (None where missing) as naive datetime64 in UTC, NaT for texts that do not match the format.

    A week becomes its Monday, and a quarter its first day.
    """
    texts = values.map(lambda text: _ZONE.sub("", text), na_action="ignore")
    if form in _EPOCHS:
        pattern, unit = _EPOCHS[form]
        texts = texts.where(texts.str.fullmatch(pattern, na=False), None)
        return pd.to_datetime(pd.to_numeric(texts), unit=unit, errors="coerce").dt.floor("us")
    if form in _DIGITS:  # %Y%m would also accept five digits
        texts = texts.where(texts.str.fullmatch(_DIGITS[form], na=False), None)
    elif form == ISO_WEEK:
        texts, form = texts.map(_monday, na_action="ignore"), "%G-W%V-%u"
    elif form == QUARTER:
        texts, form = texts.map(_first_day, na_action="ignore"), ISO
    return pd.to_datetime(texts, format=form, errors="coerce", utc=True).dt.tz_localize(None)


def _monday(text: str) -> str:
    match = _WEEK.fullmatch(text)
    return f"{match[1]}-W{match[2]}-{match[3] or 1}" if match else ""


def _first_day(text: str) -> str:
    match = _QUARTER.fullmatch(text)
    return f"{match[1]}-{3 * int(match[2]) - 2:02}-01" if match else ""
