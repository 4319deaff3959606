"""Requests that must be refused: what is wrong with each, by name.

The names are also the cases of `python -m metastudio.tester.sign --case NAME`, so that a command of a report sends
the same forgery again.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from metastudio.auth.credentials import Credentials
from metastudio.tester.access import AUTHORIZATION, DATE, Access, Tamper

_PROBE = "X-Metastudio-Probe"


@dataclass(frozen=True)
class Forgery:
    """A signature that is wrong in one way. `own_key` when it names the caller's access key, which it may lock."""

    sentence: str
    tamper: Callable[[Access, str], Tamper]
    own_key: bool = True


def _keys(access: Access) -> Credentials:
    assert access.keys is not None
    return access.keys


def _other_secret(access: Access, _: str) -> Tamper:
    keys = _keys(access)
    return Tamper(keys=Credentials(keys.access_key, made_up(keys.secret_key), keys.security_token))


def _other_key(access: Access, _: str) -> Tamper:
    keys = _keys(access)
    return Tamper(keys=Credentials(made_up(keys.access_key), keys.secret_key, keys.security_token))


def _edit(edit: Callable[[str], str]) -> Callable[[Access, str], Tamper]:
    return lambda _access, _url: Tamper(authorization=edit)


def _late(**by: float) -> Callable[[Access, str], Tamper]:
    return lambda _access, _url: Tamper(late=timedelta(**by))


FORGERIES: Mapping[str, Forgery] = {
    "wrong-secret": Forgery("signed with another secret", _other_secret),
    "unknown-key": Forgery("signed with a key that nobody has", _other_key, own_key=False),
    "date-early": Forgery("dated a day ago", _late(days=-1)),
    "date-late": Forgery("dated a day ahead", _late(days=1)),
    "date-hour-early": Forgery("dated an hour ago", _late(hours=-1)),
    "date-hour-late": Forgery("dated an hour ahead", _late(hours=1)),
    "date-missing": Forgery("without its date", lambda *_: Tamper(without=(DATE,))),
    "date-unsigned": Forgery("whose date the signature does not cover", lambda *_: Tamper(unsigned=(DATE,))),
    "header-changed": Forgery(
        "with a signed header that was changed afterwards", lambda *_: Tamper(swapped={_PROBE: ("signed", "changed")})
    ),
    "header-missing": Forgery(
        "with a signed header that was taken out",
        lambda *_: Tamper(swapped={_PROBE: ("signed", "")}, without=(_PROBE,)),
    ),
    "query-unsigned": Forgery("whose query the signature does not cover", lambda *_: Tamper(signed_query="")),
    "query-changed": Forgery(
        "whose query was changed afterwards", lambda _, url: Tamper(signed_query=urlsplit(url).query + "0")
    ),
    "path-changed": Forgery(
        "whose path was changed afterwards", lambda _, url: Tamper(signed_path=urlsplit(url).path + "/x")
    ),
    "method-changed": Forgery("whose method was changed afterwards", lambda *_: Tamper(signed_method="POST")),
    "signature-empty": Forgery("with an empty signature", _edit(lambda v: v.rpartition("=")[0] + "=")),
    "signature-cut": Forgery("with half a signature", _edit(lambda v: v[:-32])),
    "signature-zero": Forgery("with a signature of zeros", _edit(lambda v: v[:-64] + "0" * 64)),
    "authorization-bare": Forgery("whose Authorization only names the algorithm", _edit(lambda v: v.split(" ")[0])),
    "authorization-garbage": Forgery(
        "whose Authorization is no signature at all", _edit(lambda _: "Basic Z3Vlc3Q6Z3Vlc3Q="), own_key=False
    ),
    "authorization-missing": Forgery(
        "without its Authorization", lambda *_: Tamper(without=(AUTHORIZATION,)), own_key=False
    ),
}


def made_up(like: str) -> str:
    """Return a text of the same form that is another one: each letter and digit replaced, the same ones each time."""
    dice = random.Random(len(like))  # noqa: S311 - a shape, no secret
    digits = "0123456789abcdef" if set(like) <= set(string.hexdigits.lower()) else string.digits

    def other(character: str) -> str:
        kinds = (string.ascii_uppercase, digits if character in digits else string.ascii_lowercase, string.digits)
        kind = next((each for each in kinds if character in each), character)
        return dice.choice([each for each in kind if each != character] or [character])

    return "".join(other(character) for character in like)
