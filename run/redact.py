"""Takes secrets out of text, in every form they are likely to appear in."""

from __future__ import annotations

import json
import re
import traceback
from base64 import b64encode
from collections.abc import Iterable, Iterator
from logging import LogRecord
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote, quote_plus

HIDDEN: Final = "***"
SHORTEST: Final = 4
"""Characters from which on a secret is taken out; a shorter one would shred every text and protects nothing."""

_JWT: Final = r"eyJ[\w-]{6,}\.[\w-]{2,}(?:\.[\w-]*)?"
_URL_CREDENTIALS: Final = r"(?<=://)[^\s/:@]*:\S+(?=@)"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Redactor:
    """Replaces the known secrets, anything of a token's shape, and the credentials in a URL by `***`.

    Also a filter for logging handlers: it rewrites the record once formatted, its structured facts, and the text
    of its exception, which shows no local variables.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join([*map(re.escape, longest_first), _JWT, _URL_CREDENTIALS]))

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(HIDDEN, text)

    def exception(self, error: BaseException) -> str:
        """The traceback as Python prints it, redacted, without a line break at its end."""
        return self.text("".join(traceback.format_exception(error)).rstrip("\n"))

    def filter(self, record: LogRecord) -> bool:
        """Rewrite a record in place; always lets it pass. A second pass changes nothing."""
        record.msg, record.args = self.text(_message(record)), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = self.exception(record.exc_info[1])
        elif record.exc_text:
            record.exc_text = self.text(record.exc_text)
        record.exc_info = None
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        facts = getattr(record, "facts", None)
        if facts:
            record.facts = {name: self._fact(value) for name, value in facts.items()}
        return True

    def _fact(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))


def _message(record: LogRecord) -> str:
    """The formatted message; one whose arguments do not fit is shown without them instead of being lost."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} (its arguments do not fit)"


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, in a URL, in a Python or JSON literal, and in base64."""
    yield secret
    raw = secret.encode(errors="surrogatepass")
    for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), quoted)
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield secret.replace("\\", "\\\\").replace("'", "\\'")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    for start in range(3):
        encoded = _base64_inside(raw, start)
        if len(encoded) >= SHORTEST:
            yield encoded
            yield encoded.replace("+", "-").replace("/", "_")


def _base64_inside(data: bytes, start: int) -> str:
    """The characters that `data` alone decides when it starts `start` bytes (mod 3) into what is encoded."""
    encoded = b64encode(bytes(start) + data).decode()
    return encoded[(start * 8 + 5) // 6 : (start + len(data)) * 8 // 6]
