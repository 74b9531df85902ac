"""Who may in: a secret, a cookie that proves it, a token in every form, and patience limits."""

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable

_WRONG_MOST, _WRONG_WINDOW_S = 5, 60.0
_SESSION_S = 12 * 3600.0
COOKIE = "mem9_async_queue"


class Door:
    """One page's door. Without a secret it is open, and forms still need their token."""

    def __init__(
        self, secret: str | None, *, key: bytes, now: Callable[[], float] = time.time
    ) -> None:
        """*key* makes cookies and tokens; it must stay secret, and differ from page to page."""
        self._secret = secret
        self._key = key
        self._now = now
        self._wrong: deque[float] = deque(maxlen=_WRONG_MOST)

    @property
    def shut(self) -> bool:
        """Whether too many wrong secrets came in the last minute."""
        full = len(self._wrong) == _WRONG_MOST
        return full and self._now() - self._wrong[0] < _WRONG_WINDOW_S

    def opens(self, given: str) -> bool:
        """Whether *given* is the secret; compared in a time that does not tell how much fits."""
        if self.shut or self._secret is None:
            return False
        if hmac.compare_digest(given.encode(), self._secret.encode()):
            return True
        self._wrong.append(self._now())
        return False

    def cookie(self) -> str:
        """The value of a cookie that lets in for twelve hours."""
        until = str(int(self._now() + _SESSION_S))
        return f"{until}.{self._made(f'session {until}')}"

    def lets_in(self, cookie: str | None) -> bool:
        """Whether *cookie* is one of ours and still holds; always without a secret."""
        if self._secret is None:
            return True
        until, _, proof = (cookie or "").partition(".")
        if not until.isascii() or not until.isdigit() or float(until) < self._now():
            return False
        return hmac.compare_digest(proof, self._made(f"session {until}"))

    def token(self, cookie: str | None) -> str:
        """What every form of this visitor must carry."""
        return self._made(f"form {cookie if self._secret is not None else ''}")

    def knows(self, token: str, cookie: str | None) -> bool:
        """Whether *token* is this visitor's."""
        return hmac.compare_digest(token.encode(), self.token(cookie).encode())

    def _made(self, what: str) -> str:
        bound = f"{self._secret or ''}\n{what}".encode()
        return hmac.new(self._key, bound, hashlib.sha256).hexdigest()
