"""Forged signatures, by name. A server must refuse each of them.

The names are also the values of `python -m metastudio.tester.sign --case NAME`, so that the commands of a report can
repeat a forgery.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from metastudio.auth.credentials import Credentials
from metastudio.tester.access import AUTHORIZATION
from metastudio.tester.caller import DATE, Caller, Tampering

_EXTRA_HEADER = "X-Metastudio-Probe"


@dataclass(frozen=True)
class Forgery:
    """A signature that is invalid in one way.

    Args:
        sentence: completes the sentence "A request ... is refused."
        tampering: returns the change for a caller and a URL.
        may_lock_key: whether it names the caller's access key, so that repeating it may lock the key.
    """

    sentence: str
    tampering: Callable[[Caller, str], Tampering]
    may_lock_key: bool = True


def _keys(caller: Caller) -> Credentials:
    assert caller.keys is not None
    return caller.keys


def _other_secret(caller: Caller, _: str) -> Tampering:
    keys = _keys(caller)
    return Tampering(keys=Credentials(keys.access_key, fake_like(keys.secret_key), keys.security_token))


def _other_key(caller: Caller, _: str) -> Tampering:
    keys = _keys(caller)
    return Tampering(keys=Credentials(fake_like(keys.access_key), keys.secret_key, keys.security_token))


def _edit(edit: Callable[[str], str]) -> Callable[[Caller, str], Tampering]:
    return lambda _caller, _url: Tampering(edit_authorization=edit)


def _date_shift(**by: float) -> Callable[[Caller, str], Tampering]:
    return lambda _caller, _url: Tampering(date_shift=timedelta(**by))


FORGERIES: Mapping[str, Forgery] = {
    "wrong-secret": Forgery("signed with another secret", _other_secret),
    "unknown-key": Forgery("signed with an unknown access key", _other_key, may_lock_key=False),
    "date-early": Forgery("dated a day early", _date_shift(days=-1)),
    "date-late": Forgery("dated a day late", _date_shift(days=1)),
    "date-hour-early": Forgery("dated an hour early", _date_shift(hours=-1)),
    "date-hour-late": Forgery("dated an hour late", _date_shift(hours=1)),
    "date-missing": Forgery("without a date", lambda *_: Tampering(removed_headers=(DATE,))),
    "date-unsigned": Forgery("with a date that is not signed", lambda *_: Tampering(unsigned_headers=(DATE,))),
    "header-changed": Forgery(
        "with a signed header changed afterwards",
        lambda *_: Tampering(replaced_headers={_EXTRA_HEADER: ("signed", "changed")}),
    ),
    "header-missing": Forgery(
        "with a signed header removed",
        lambda *_: Tampering(replaced_headers={_EXTRA_HEADER: ("signed", "")}, removed_headers=(_EXTRA_HEADER,)),
    ),
    "query-unsigned": Forgery("with a query that is not signed", lambda *_: Tampering(signed_query="")),
    "query-changed": Forgery(
        "with a query changed afterwards", lambda _, url: Tampering(signed_query=urlsplit(url).query + "0")
    ),
    "path-changed": Forgery(
        "with a path changed afterwards", lambda _, url: Tampering(signed_path=urlsplit(url).path + "/x")
    ),
    "method-changed": Forgery("with a method changed afterwards", lambda *_: Tampering(signed_method="POST")),
    "signature-empty": Forgery("with an empty signature", _edit(lambda v: v.rpartition("=")[0] + "=")),
    "signature-cut": Forgery("with half a signature", _edit(lambda v: v[:-32])),
    "signature-zero": Forgery("with an all-zero signature", _edit(lambda v: v[:-64] + "0" * 64)),
    "authorization-bare": Forgery("with only the algorithm in Authorization", _edit(lambda v: v.split(" ")[0])),
    "authorization-garbage": Forgery(
        "with Basic credentials in Authorization", _edit(lambda _: "Basic Z3Vlc3Q6Z3Vlc3Q="), may_lock_key=False
    ),
    "authorization-missing": Forgery(
        "without Authorization", lambda *_: Tampering(removed_headers=(AUTHORIZATION,)), may_lock_key=False
    ),
}


def fake_like(text: str) -> str:
    """Return a text of the same form with every letter and digit replaced. The result is deterministic."""
    dice = random.Random(len(text))  # noqa: S311 - a fake, no secret
    digits = "0123456789abcdef" if set(text) <= set(string.hexdigits.lower()) else string.digits

    def other(character: str) -> str:
        kinds = (string.ascii_uppercase, digits if character in digits else string.ascii_lowercase, string.digits)
        kind = next((each for each in kinds if character in each), character)
        return dice.choice([each for each in kind if each != character] or [character])

    return "".join(other(character) for character in text)
