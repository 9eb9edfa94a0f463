"""Turn the body of a request, TOML or JSON, into a checked submission."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from study.errors import UserError
from study.service.data_files import RESERVED, find_links
from study.service.limits import Limits, check_limits
from study.service.problems import Problem
from study.spec import NotTomlError, Spec, parse_spec
from study.text.records import Json
from study.text.toml_text import write_toml

TOML, JSON = "application/toml", "application/json"


@dataclass(frozen=True)
class Declared:
    """A checked spec, ready to be queued.

    Attributes:
        spec: the parsed spec.
        text: the spec as TOML.
        links: paths of the data files, by the names that the spec uses for them.
    """

    spec: Spec
    text: str
    links: dict[str, str]


def read_submission(
    body: bytes, media_type: str, folders: Sequence[Path], limits: Limits, uploads: Path | None = None
) -> Declared:
    """Read and check a submitted spec.

    Args:
        body: body of the request.
        media_type: media type of the body, without parameters.
        folders: folders that may contain data files.
        limits: limits of the server.
        uploads: folder in which data files are looked up by name; None means `folders`.

    Raises:
        Problem: 415 for another media type, 400 for a body that is neither TOML nor JSON, 422 for a spec that is not
            valid or exceeds the limits, 403 for data outside the folders.
    """
    text = _text(body, media_type)
    try:
        spec = parse_spec(text, "spec")
        check_limits(spec, limits)
    except NotTomlError as error:
        raise Problem(400, str(error), "not-toml") from None
    except UserError as error:
        raise Problem(422, str(error), "spec") from None
    except (RecursionError, ValueError, OverflowError) as error:
        raise Problem(422, f"could not read the spec ({type(error).__name__}); reduce its nesting", "spec") from None
    links = find_links(spec.data, folders, uploads)
    for name in links:
        if PurePosixPath(name).parts[0] in RESERVED:
            raise Problem(422, f"[data] source: {name!r} is reserved by the server; rename the file", "name")
    return Declared(spec, text, links)


def _text(body: bytes, media_type: str) -> str:
    if media_type not in (TOML, JSON):
        raise Problem(415, f"the media type of a spec must be {TOML} or {JSON}, got {media_type[:100]!r}", "media-type")
    try:
        text = body.decode("utf-8-sig")
        if media_type == TOML:
            return text
        table = _load(text)
        if not isinstance(table, dict):
            raise Problem(422, f"spec: must be a table, got {type(table).__name__}", "spec")
        return _as_toml(table)
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8 text (byte {error.start})", "not-text") from None


def _load(text: str) -> Json:
    try:
        given: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {str(error)[:200]}", "not-json") from None
    return given


def _as_toml(table: Mapping[str, Json]) -> str:
    try:
        text = write_toml(table)
        text.encode()
    except (UserError, RecursionError) as error:
        raise Problem(422, f"spec: {error}", "spec") from None
    except UnicodeEncodeError:
        raise Problem(422, "spec: a string contains a lone surrogate, which is not a valid character", "spec") from None
    return text
