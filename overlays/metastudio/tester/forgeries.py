"""Forged signatures, by name. A server must refuse each of them.

The names are also the values of `python -m metastudio.tester.sign --case NAME`, so that the commands of a report can
repeat a forgery.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from metastudio.auth.credentials import Credentials
from metastudio.tester.access import AUTHORIZATION, DATE

_EXTRA_HEADER = "X-Metastudio-Probe"


def _same(text: str) -> str:
    return text


@dataclass(frozen=True)
class Forgery:
    """A signature that is invalid in one way. The default is a valid one.

    Args:
        sentence: completes the sentence "A request ... is refused."
        may_lock_key: whether it names the caller's access key, so that repeating it may lock the key.
        access_key: changes the access key.
        secret_key: changes the secret key that signs.
        date_shift: shifts the signing date.
        signed_query: changes the query that is signed.
        signed_path: changes the path that is signed.
        signed_method: signs this method instead of the sent one.
        unsigned_headers: headers that the signature does not cover.
        removed_headers: headers that are not sent.
        replaced_headers: signed and sent value of headers whose values differ.
        authorization: changes the Authorization header.
    """

    sentence: str = ""
    may_lock_key: bool = True
    access_key: Callable[[str], str] = _same
    secret_key: Callable[[str], str] = _same
    date_shift: timedelta = timedelta(0)
    signed_query: Callable[[str], str] = _same
    signed_path: Callable[[str], str] = _same
    signed_method: str | None = None
    unsigned_headers: tuple[str, ...] = ()
    removed_headers: tuple[str, ...] = ()
    replaced_headers: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    authorization: Callable[[str], str] = _same

    def keys(self, keys: Credentials) -> Credentials:
        """Return the key pair that signs."""
        return Credentials(self.access_key(keys.access_key), self.secret_key(keys.secret_key), keys.security_token)


def fake_like(text: str) -> str:
    """Return a text of the same form with every letter and digit replaced. The result is deterministic."""
    dice = random.Random(len(text))  # noqa: S311 - a fake, no secret
    digits = "0123456789abcdef" if set(text) <= set(string.hexdigits.lower()) else string.digits

    def other(character: str) -> str:
        kinds = (string.ascii_uppercase, digits if character in digits else string.ascii_lowercase, string.digits)
        kind = next((each for each in kinds if character in each), character)
        return dice.choice([each for each in kind if each != character] or [character])

    return "".join(other(character) for character in text)


FORGERIES: Mapping[str, Forgery] = {
    "wrong-secret": Forgery("signed with another secret", secret_key=fake_like),
    "unknown-key": Forgery("signed with an unknown access key", may_lock_key=False, access_key=fake_like),
    "date-early": Forgery("dated a day early", date_shift=timedelta(days=-1)),
    "date-late": Forgery("dated a day late", date_shift=timedelta(days=1)),
    "date-hour-early": Forgery("dated an hour early", date_shift=timedelta(hours=-1)),
    "date-hour-late": Forgery("dated an hour late", date_shift=timedelta(hours=1)),
    "date-missing": Forgery("without a date", removed_headers=(DATE,)),
    "date-unsigned": Forgery("with a date that is not signed", unsigned_headers=(DATE,)),
    "header-changed": Forgery(
        "with a signed header changed afterwards", replaced_headers={_EXTRA_HEADER: ("signed", "changed")}
    ),
    "header-missing": Forgery(
        "with a signed header removed",
        replaced_headers={_EXTRA_HEADER: ("signed", "")},
        removed_headers=(_EXTRA_HEADER,),
    ),
    "query-unsigned": Forgery("with a query that is not signed", signed_query=lambda _: ""),
    "query-changed": Forgery("with a query changed afterwards", signed_query=lambda query: query + "0"),
    "path-changed": Forgery("with a path changed afterwards", signed_path=lambda path: path + "/x"),
    "method-changed": Forgery("with a method changed afterwards", signed_method="POST"),
    "signature-empty": Forgery("with an empty signature", authorization=lambda v: v.rpartition("=")[0] + "="),
    "signature-cut": Forgery("with half a signature", authorization=lambda v: v[:-32]),
    "signature-zero": Forgery("with an all-zero signature", authorization=lambda v: v[:-64] + "0" * 64),
    "authorization-bare": Forgery("with only the algorithm in Authorization", authorization=lambda v: v.split(" ")[0]),
    "authorization-garbage": Forgery(
        "with Basic credentials in Authorization", may_lock_key=False, authorization=lambda _: "Basic Z3Vlc3Q6Z3Vlc3Q="
    ),
    "authorization-missing": Forgery("without Authorization", may_lock_key=False, removed_headers=(AUTHORIZATION,)),
}
