"""The signature recipe against vectors published by the vendor or recorded from its signer."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from metastudio.auth import signature
from metastudio.http.url import canonical_query, normalize_query, query_pairs

REFERENCE = json.loads((Path(__file__).parents[1] / "reference/signing-vectors.json").read_text("utf-8"))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _applies(vector: dict[str, Any]) -> bool:
    """Select vectors of our algorithm, without errors of the vendor's signer or input that its signers disagree on."""
    algorithm = vector.get("algorithm") or vector["authorization"].partition(" ")[0]
    return algorithm == signature.ALGORITHM and not ({"implementation_quirk", "error"} & vector.keys())


VECTORS = [vector for vector in REFERENCE["vectors"] + REFERENCE["published_vectors"] if _applies(vector)]
WHOLE = [vector for vector in VECTORS if "path" in vector]


def _headers(vector: dict[str, Any]) -> dict[str, str]:
    """Return the signed headers: the vendor's signer adds the host and, for some bodies, a declared payload hash."""
    headers = {name.lower(): str(value) for name, value in vector["headers_in"].items()}
    for name, value in vector.get("headers_sent", {}).items():
        if name == "X-Sdk-Content-Sha256":
            headers.setdefault(name.lower(), value)
    return {"host": vector["host"], **headers}


def test_number_of_vectors() -> None:
    assert len(VECTORS) == 27 + 5
    assert len(WHOLE) == 27 + 3


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: vector["id"])
def test_vector_from_the_parts_of_a_request(vector: dict[str, Any]) -> None:
    headers = _headers(vector)
    query = canonical_query([(key, _text(value)) for key, value in vector["query_params"]])
    body = (vector["body"] or "").encode()
    payload = signature.payload_hash(body, headers.get("x-sdk-content-sha256"))
    request = signature.canonical_request(vector["method"], vector["path"], query, headers, payload)
    assert request == vector["canonical_request"]

    text = signature.string_to_sign(headers["x-sdk-date"], request)
    assert text == vector["string_to_sign"]
    signed = signature.signature(vector["sk"], text)
    assert signature.authorization(vector["ak"], signature.signed_headers(headers), signed) == vector["authorization"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector_from_the_canonical_request(vector: dict[str, Any]) -> None:
    date = vector["string_to_sign"].split("\n")[1]
    text = signature.string_to_sign(date, vector["canonical_request"])
    assert text == vector["string_to_sign"]
    names = vector["canonical_request"].split("\n")[-2].split(";")
    authorization = signature.authorization(vector["ak"], names, signature.signature(vector["sk"], text))
    assert authorization == vector.get("published_authorization", vector["authorization"])


@pytest.mark.parametrize("vector", WHOLE, ids=lambda vector: vector["id"])
def test_vector_sends_the_canonical_query(vector: dict[str, Any]) -> None:
    query = vector.get("url", "").partition("?")[2]
    assert canonical_query(query_pairs(query)) == query


def test_empty_path_is_the_root() -> None:
    assert signature.canonical_uri("") == signature.canonical_uri("/") == "/"


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("name", "name="),
        ("name=", "name="),
        ("a=b=c", "a=b%3Dc"),
        ("a=1&&b=2&", "a=1&b=2"),
        ("q=a+b", "q=a%20b"),
        ("q=a%20b", "q=a%20b"),
        ("q=a%2bb", "q=a%2Bb"),
        ("q=%7e%2A*", "q=~%2A%2A"),
        ("q=%41", "q=A"),
        ("q=%ff", "q=%FF"),
        ("%E9=1&z=2", "z=2&%E9=1"),
        ("a-b=1&a=2", "a=2&a-b=1"),
        ("tag=b&tag=a", "tag=a&tag=b"),
    ],
)
def test_canonical_query(query: str, canonical: str) -> None:
    assert canonical_query(query_pairs(query)) == canonical
    assert canonical_query(query_pairs(canonical)) == canonical
    assert normalize_query(query) == normalize_query(canonical) == canonical


@given(st.text("ab-.~_=&%+2 "))
@example("a-b=1&a=2&a.=3")
@example("=a&b=")
def test_normalize_query_equals_decoding_and_encoding(query: str) -> None:
    assert normalize_query(query) == canonical_query(query_pairs(query))


@given(st.lists(st.tuples(st.text(), st.text())))
def test_query_pairs_reads_back_the_canonical_query(pairs: list[tuple[str, str]]) -> None:
    read_back = query_pairs(canonical_query(pairs))
    assert read_back == sorted(pairs)


@given(st.text(min_size=1, max_size=200), st.text())
@example("k" * 64, "a key as long as HMAC's block")
@example("k" * 65, "a longer one is hashed first")
@example("é" * 33, "66 bytes")
def test_keyed_signature_is_hmac_sha256(key: str, text: str) -> None:
    expected = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    sign = signature.keyed_signature(key)
    assert [sign(text), sign(text), signature.signature(key, text)] == [expected] * 3


@given(st.datetimes(min_value=datetime(1, 1, 1)))
def test_format_date(moment: datetime) -> None:
    text = signature.format_date(moment.replace(tzinfo=UTC))
    assert datetime.strptime(text, "%Y%m%dT%H%M%SZ") == moment.replace(microsecond=0)


def test_payload_hash() -> None:
    assert (
        signature.payload_hash(b"") == signature.payload_hash(b"", "UNSIGNED-PAYLOAD") == signature.EMPTY_PAYLOAD_HASH
    )
    assert signature.payload_hash(b"{}") == hashlib.sha256(b"{}").hexdigest()
    assert signature.payload_hash(b"{}", "UNSIGNED-PAYLOAD") == "UNSIGNED-PAYLOAD"
