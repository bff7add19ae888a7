"""Finding the errors in an answer: monday's present shape, its legacy one, plain strings; and how long to wait.

The wait is the first that is told, in this order: `retry_in_seconds`, `retryAfterMs`, the `Retry-After` header, the
reset of an exhausted policy, "reset in N seconds" in a message.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from monday.errors import ApiFault


def faults_in(
    status: int, errors: Any, legacy: tuple[Any, Any, Any], headers_wait_s: float | None, request_id: str
) -> list[ApiFault]:
    """Every error of a decoded answer: GraphQL objects, plain strings, and the legacy top-level shape
    (`error_code`, `error_message`, `status_code`). Empty when the answer holds none.
    """
    legacy_code, legacy_message, legacy_status = legacy
    if legacy_code or legacy_message:
        message = str(legacy_message or "")
        return [
            ApiFault(
                int(legacy_status) if isinstance(legacy_status, int) else status,
                str(legacy_code or ""),
                message,
                request_id=request_id,
                told_wait_s=_first(headers_wait_s, _reset_in(message)),
            )
        ]
    if isinstance(errors, str | dict):
        errors = [errors]
    if not isinstance(errors, list):
        return []
    return [_fault(status, error, headers_wait_s, request_id) for error in errors]


def _fault(status: int, error: Any, headers_wait_s: float | None, request_id: str) -> ApiFault:
    if not isinstance(error, dict):
        text = str(error)
        return ApiFault(status, "", text, (), request_id, _first(headers_wait_s, _reset_in(text)))
    extensions = error.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    message = str(error.get("message") or "")
    path = error.get("path")
    return ApiFault(
        status,
        _code(extensions),
        message,
        tuple(path) if isinstance(path, list) else (),
        str(extensions.get("request_id") or request_id),
        _first(
            _number(extensions.get("retry_in_seconds")),
            _number(extensions.get("retryAfterMs"), 1000),
            headers_wait_s,
            _reset_in(message),
        ),
        extensions.get("error_data"),
    )


def _code(extensions: dict[str, Any]) -> str:
    if extensions.get("code"):
        return str(extensions["code"])
    return "x-invalid-variable" if extensions.get("problems") else ""


def _first(*waits: float | None) -> float | None:
    return next((wait for wait in waits if wait is not None), None)


def _number(raw: Any, divisor: int = 1) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        return max(0.0, raw / divisor)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _reset_in(message: str) -> float | None:
    found = re.search(r"reset in (\d+(?:\.\d+)?) seconds?", message, re.IGNORECASE)
    return float(found[1]) if found else None


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from a `Retry-After` header, which is a number or an HTTP date; None when there is none to read."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header).astimezone(UTC) - now).total_seconds())
    except (ValueError, OverflowError):  # the latter for a zone that leads out of the years 1 to 9999
        return None
