"""Shapes: statuses, types, headers and bodies of answers, and what the server lets in, whatever is sent.

First a few requests made for each parameter, then what schemathesis makes up. Every answer is judged by the contract
and by who says it, so that a decided rule is never held against a server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from metastudio.contract.operation import Parameter
from metastudio.http.url import query_pairs
from metastudio.tester.http_client import Answer, NoAnswerError, Probe
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations.filter_oracle import keeps
from metastudio.tester.relations.list_client import Bench, Snapshot, UnexpectedError
from metastudio.tester.relations.orders import in_order
from metastudio.tester.shapes import requests, responses
from metastudio.tester.shapes.findings import SHOWN, Finding, properties
from metastudio.tester.shapes.plan import Generated, Plan, Trouble
from metastudio.tester.shapes.requests import Judged, Reading
from metastudio.tester.shapes.seed_requests import aims, made
from metastudio.tester.verdicts import Evidence, Result


class Shapes:
    """The suite for one operation. `bench` and `snapshot` are None for one that is no list."""

    def __init__(
        self, subject: Subject, probe: Probe, path: str, bench: Bench | None, snapshot: Snapshot | None
    ) -> None:
        self.subject = subject
        self.probe = probe
        self.path = path
        self.bench = bench
        self.snapshot = snapshot
        self.trouble: list[str] = []
        self.met: Counter[str] = Counter()
        self._findings = {each.id: Finding(each) for each in properties(subject)}

    def run(self, plan: Plan, count: Callable[[], None]) -> Iterator[None]:
        """Send everything, yielding after each answer so that progress can be shown."""
        from metastudio.tester.shapes.generated import generate

        for query in made(self.subject) if self.subject.operation.method == "GET" else ():
            try:
                answer = self.probe.send(self.path, query)
            except NoAnswerError as error:
                self._finding("answer").evidence.append(Evidence("an answer", str(error), (error.command,)))
                continue
            self.judge(answer, {}, {})
            yield
        for each in generate(
            self.subject, plan, self.probe.pace, list(aims(self.bench, self.snapshot, plan.seed)), count
        ):
            if isinstance(each, Trouble):
                self.trouble.append(each.what)
            elif each is not None:
                self._judge_generated(each)
            yield

    def results(self) -> list[Result]:
        """Return the verdicts."""
        failure = self._finding("failure")
        stumbles = self.probe.traffic.stumbles
        if len(stumbles) >= SHOWN:
            commands = tuple(each.command for each in stumbles[:SHOWN])
            failure.evidence.append(Evidence("no server errors", f"{len(stumbles)} that did not come back", commands))
        elif stumbles:
            failure.doubts.append(f"{len(stumbles)} server errors that did not come back when asked again")
        silences, whole = self.probe.traffic.silences, self._finding("answer")
        if len(silences) >= SHOWN:
            seen = f"{len(silences)} requests answered only when sent once more: {silences[0][0]}"
            whole.evidence.append(Evidence("an answer each time", seen, tuple(shown for _, shown in silences[:SHOWN])))
        elif silences:
            whole.doubts.append(f"{len(silences)} requests answered only when sent once more: {silences[0][0]}")
        return [each.result() for each in self._findings.values()]

    def judge(self, answer: Answer, said: Mapping[str, str], sent: Mapping[str, str]) -> None:
        """Judge an answer, with what schemathesis says of it, to a request that was sent with these headers."""
        self._count(answer)
        found = list(responses.faults(self.subject, answer))
        if answer.method != self.subject.operation.method:
            # What other methods do is no part of this operation, but for failing.
            found = [each for each in found if each.kind == "leak" or (each.kind == "failure" and answer.status != 501)]
            self._finding("input").observed[f"{answer.method}: status {answer.status}"] += 1
        self._finding("answer").exercised += 1
        for kind in ("failure", "status", "content", "header", "body", "leak"):
            self._finding(kind).exercised += kind != "leak" or answer.status >= 400
        for fault in found:
            finding = self._finding(fault.kind)
            if fault.kind in ("status", "failure") and _is_too_long(answer):
                finding.observed["a very long request was refused in its own way"] += 1
            elif fault.blamed:
                place = self.subject.at(fault.pointer)
                finding.breach(f"what {place} declares", fault.what, answer)
            else:
                finding.observed[f"{fault.what}: decided, not stated"] += 1
        if answer.method == self.subject.operation.method == "GET":
            query = query_pairs(urlsplit(answer.url).query)
            judged = requests.judge(self.subject, query, _parameters(self.subject, sent))
            self._judge_acceptance(answer, judged)
            if answer.status in self.subject.operation.success and self.bench is not None:
                self._keeps_its_word(answer, self.bench)
        self._second_opinion(answer, said, bool(found))

    def _judge_generated(self, each: Generated) -> None:
        if each.answer is not None and each.answer.status < 500:
            self.judge(each.answer, each.said, each.headers)
            return
        answer = self._again(each)
        if answer is not None:
            self.judge(answer, {}, each.headers)  # what schemathesis says is about the first answer

    def _again(self, each: Generated) -> Answer | None:
        """Send a request that failed once more, as it was, to tell a fault from bad luck."""
        path, _, query = each.url.removeprefix(self.probe.base_url).partition("?")
        headers = list(_parameters(self.subject, each.headers).items())
        try:
            again = self.probe.send(path, query_pairs(query), method=each.method, headers=headers)
        except (NoAnswerError, UnicodeError, ValueError) as error:
            if isinstance(error, NoAnswerError):
                self._finding("answer").evidence.append(Evidence("an answer", str(error), (each.command,)))
            return each.answer
        if each.answer is not None and again.status < 500:
            self.probe.traffic.stumbles.append(each.answer)
        return replace(again, command=each.command)

    def _judge_acceptance(self, answer: Answer, judged: Judged) -> None:
        finding = self._findings.get(f"input.{judged.parameter}") or self._finding("input")
        accepted, refused = 200 <= answer.status < 300, 400 <= answer.status < 500
        query = urlsplit(answer.url).query
        if judged.reading is Reading.FORBIDDEN:
            finding.exercised += 1
            if accepted:
                seen = f"status {answer.status}: accepted {_shown(judged.parameter, query)}"
                finding.breach(f"a refusal, as {self.subject.at(judged.pointer)} does not allow it", seen, answer)
        elif judged.reading is Reading.PROMISED:
            for name in judged.given:
                self._finding(f"input.{name}").exercised += 1
            self._finding("input").exercised += 1
            finding = self._findings[f"input.{judged.given[0]}"] if len(judged.given) == 1 else self._finding("input")
            if answer.status in (401, 403):
                self._finding("input").breach(
                    "an answer, as the credentials are right", f"status {answer.status}", answer
                )
            elif refused and answer.status != 429:
                finding.breach("a success, as the contract allows the request", f"status {answer.status}", answer)
        elif judged.parameter and (accepted or refused):
            word = "accepted" if accepted else "refused"
            finding.observed[f"{word} what the contract leaves open or decided"] += 1

    def _keeps_its_word(self, answer: Answer, bench: Bench) -> None:
        """What one answer shows of the meaning. It is asked for again where a change may have come in between."""
        finding, query = self._finding("word"), query_pairs(urlsplit(answer.url).query)
        if len(dict(query)) < len(query):
            return
        finding.exercised += 1
        broken = self._broken_word(answer, bench, dict(query))
        if broken is None:
            return
        again = self.probe.send(urlsplit(answer.url).path, query)
        if again.status in self.subject.operation.success and self._broken_word(again, bench, dict(query)):
            finding.breach(*broken, answer)
        else:
            finding.doubts.append(f"{broken[1]}, but not when asked again")

    def _broken_word(self, answer: Answer, bench: Bench, given: Mapping[str, str]) -> tuple[str, str] | None:
        """Each item passes each filter, in order, and not too many: what was expected and seen where not."""
        rules = bench.rules
        try:
            page = bench.read(answer)
        except UnexpectedError as error:
            return "a page of the list", error.what
        for name, text in given.items():
            rule = rules.filters.get(name)
            if rule is None or rule.op == "unstated" or not self._is_promised(name, text):
                continue
            parameter = self.subject.operation.parameters[name]
            values = [_typed(each, parameter) for each in (text.split(",") if parameter.is_array else [text])]
            for item in page.items:
                fine = keeps(rule, bench.schema(rule.property or ""), item, values) is not False
                absent = not item.facts[rule.property or ""] and bench.absent_means.get(name) == text
                if not fine and not absent:
                    return f"only items that {name} keeps", f"item {item.identity} among them"
        limit = given.get(rules.limit, "")
        if self._is_promised(rules.limit, limit) and len(page.items) > int(limit):
            return f"at most {limit} items", f"{len(page.items)} items"
        order = rules.order
        if order and given.get(order.parameter) in order.keys:
            direction = given.get(order.direction or "", order.asc if order.default == "asc" else order.desc)
            if direction in (order.asc, order.desc):
                fine, seen = in_order(order, given[order.parameter], direction, page.items)
                if not fine:
                    return f"the order {direction}", seen
        return None

    def _is_promised(self, name: str, text: str) -> bool:
        return requests.judge(self.subject, [(name, text)]).reading is Reading.PROMISED

    def _second_opinion(self, answer: Answer, said: Mapping[str, str], explained: bool) -> None:
        """What schemathesis says of an answer in which nothing was found here. Of requests it knows no x-source."""
        for check, title in said.items():
            if check in ("response_schema_conformance", "content_type_conformance", "response_headers_conformance"):
                if not explained:
                    self._finding("body").breach("what the contract declares", f"{title} ({check})", answer)
            elif check in ("unsupported_method", "allow_header_conformance"):
                self._finding("input").observed[f"{answer.method}: {title}"] += 1

    def _count(self, answer: Answer) -> None:
        self.met["answers"] += 1
        if answer.status in self.subject.operation.success:
            self.met["successes"] += 1
            if (
                self.bench
                and answer.is_json
                and f'"{self.bench.rules.items.rpartition("/")[2]}":[]'.encode() not in answer.body.replace(b" ", b"")
            ):
                self.met["successes with items"] += 1

    def _finding(self, id_: str) -> Finding:
        return self._findings[id_]


def _typed(text: str, parameter: Parameter) -> Any:
    kind = parameter.schema.get("items", parameter.schema).get("type")
    if kind == "boolean":
        return text == "true"
    return int(text) if kind == "integer" else float(text) if kind == "number" else text


def _parameters(subject: Subject, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are parameters of the operation."""
    sent = {name.lower(): value for name, value in headers.items()}
    declared = [name for where, name in subject.parameter_places if where == "header"]
    return {name: sent[name.lower()] for name in declared if name.lower() in sent}


def _is_too_long(answer: Answer) -> bool:
    return answer.status in (413, 414, 431, 494) and len(answer.url) > 2000


def _shown(parameter: str, query: str) -> str:
    return next((f"{name}={value}" for name, value in query_pairs(query) if name == parameter), parameter)[:200]
