"""How the sandbox says no: one exception that knows monday's code and HTTP status."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An entry of `errors[]`. `path` is filled in by the executor with the place it was raised at."""

    def __init__(
        self, code: str, message: str, status: int = 200, data: Any = None, extensions: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data
        self.extensions = extensions or {}
        self.path: tuple[str | int, ...] | None = None

    def entry(self) -> dict[str, Any]:
        extensions = {
            "code": self.code,
            "status_code": self.status,
            "error_data": {} if self.data is None else self.data,
            **self.extensions,
        }
        entry: dict[str, Any] = {"message": self.message, "extensions": extensions}
        if self.path is not None:
            entry["path"] = list(self.path)
        return entry


class Refused(Exception):
    """The whole request is refused before anything runs: an HTTP status, a body and headers of its own."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}


def refusal(
    status: int, code: str | None, message: str, *, retry_in_s: int | None = None, retry_header: bool = True
) -> Refused:
    """monday's present error shape around one error that is about the request and not about a field."""
    extensions: dict[str, Any] = {"status_code": status}
    if code:
        extensions["code"] = code
    headers = {}
    if retry_in_s is not None:
        extensions["retry_in_seconds"] = retry_in_s
        if retry_header and status in (409, 423, 429):
            headers["Retry-After"] = str(retry_in_s)
    return Refused(status, {"errors": [{"message": message, "extensions": extensions}]}, headers)
