"""The suite `shapes`: statuses, headers and bodies of responses, and which requests the server accepts.

It sends seed requests for each parameter, then the requests of schemathesis, and compares every response with the
contract. Rules that this contract chose itself are observed but never a breach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from metastudio.http.url import query_pairs
from metastudio.tester.http_client import CannotRunError, HttpClient, HttpResponse, NoResponseError, TimeLimitError
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import sample_values
from metastudio.tester.relations.filter_oracle import matcher
from metastudio.tester.relations.list_client import ListClient, UnexpectedResponseError
from metastudio.tester.relations.orders import criteria, in_order, requested
from metastudio.tester.shapes import request_validity, responses
from metastudio.tester.shapes.findings import PropertyFindings, properties
from metastudio.tester.shapes.request_validity import Assessment, Validity
from metastudio.tester.shapes.seed_requests import seed_queries, seed_requests
from metastudio.tester.shapes.shrinking import MAX_CUT_SINGLY, Pairs, shrink
from metastudio.tester.values import values_at
from metastudio.tester.verdicts import MAX_SHOWN_BREACHES, Evidence, PropertyResult, Stopwatch, Suite, judgement_failed

if TYPE_CHECKING:
    from metastudio.tester.operation_run import OperationRun

MAX_SHRINKING_REQUESTS = 200
"""Maximum number of requests that are sent to shrink the requests of all breaches."""


class ShapesSuite:
    """The suite for one operation."""

    def __init__(self, operation: OperationRun) -> None:
        self.operation, self.tested, self.http = operation, operation.tested, operation.http
        self.client = operation.list_client if self.tested.is_list else None
        its_list = operation.its_list if self.tested.operation.kind == "create" else None
        self._created = its_list.life_cycle if its_list is not None else None  # knows the items of before
        self.refused: set[str] = set()
        """Parameters of open effect of which the server refused a plain value. Other requests omit them, because a
        refusal hides what the server does with the other parameters."""
        self._exercised: Counter[str] = Counter()
        self._findings = _no_findings(self.tested)
        self._shrinking_requests = 0

    def run(self) -> None:
        """Send all requests."""
        from metastudio.tester.shapes.schemathesis_driver import generate

        for query in seed_requests(self.tested) if self.tested.operation.method == "GET" else ():
            try:
                response = self.http.send(self.operation.path, query)
            except NoResponseError as error:
                self._findings["answer"].exercised += 1
                self._findings["answer"].evidence.append(Evidence("a response", str(error), (error.command,)))
                continue
            self.judge(response, dict(self.http.headers))
            if 400 <= response.status < 500:
                self.refused |= {name for name, text in query if self._may_be_left_out(name, text)}
            self.operation.begin(Suite.SHAPES)
        stopped: list[Exception] = []
        sender = copy(self.http)
        sender.headers = [each for each in self.http.headers if each[0] == "Accept"]

        def exchange(method: str, query: str, headers: Mapping[str, str], body: bytes) -> int | None:
            try:
                return self._exchange(sender, method, query_pairs(query), headers, body)
            except Exception as error:  # noqa: BLE001 - raised below, in the thread of the run
                stopped.append(error)
                return None
            finally:
                self.operation.begin(Suite.SHAPES)

        operation, options = self.operation, self.operation.state.options
        queries = list(seed_queries(self.client, operation.snapshot, options.seed))
        options = replace(options, writes=options.writes and not operation.names_item)
        problems: list[str] = []
        try:
            problems += generate(self.tested, exchange, options, operation.path_values, queries, self.refused)
        except BaseException:  # the user interrupts the run: end the request in the other thread
            sender.stopwatch = Stopwatch(0)
            sender.watchdog.fire()
            raise
        if problems:
            what = "; ".join(dict.fromkeys(problems))
            operation.problem = f"schemathesis could not test {self.tested.name}: {what}"
        self._shrink()
        if stopped:
            raise stopped[0]

    def _exchange(self, sender: HttpClient, method: str, query: Pairs, given: Mapping[str, str], body: bytes) -> int:
        """Send and judge a generated request. Return the status of the response, 500 without one."""
        credentials = {name.lower() for name in sender.caller.header_names}
        in_query = [each.name for each in sender.caller.schemes if each.location == "query"]
        names = {name.lower(): name for where, name in self.tested.parameter_pointers if where == "header"}
        if any(where == "cookie" for where, _ in self.tested.parameter_pointers):
            names["cookie"] = "Cookie"
        if body:
            names["content-type"] = "Content-Type"
        headers = {names[n]: text.strip() for n, text in given.items() if n in names and n not in credentials}
        query = [each for each in query if each[0] not in in_query]
        is_post = method == "POST"  # may have been executed, so it is not repeated
        try:
            response = sender.send(
                self.operation.path, query, method=method, headers=list(headers.items()), body=body, retry=not is_post
            )
        except ValueError:  # it is not valid in HTTP
            return 500
        except NoResponseError as error:
            if not is_post:
                self._findings["answer"].evidence.append(Evidence("a response", str(error), (error.command,)))
            return 500
        if not (is_post and response.status in (502, 503, 504)):
            with self._undecided_on_error("answer"):
                self.judge(response, headers)
        return response.status

    def _shrink(self) -> None:
        for id_, findings in self._findings.items():
            smaller = (self._smallest(id_, each, findings.responses.get(each)) for each in findings.evidence)
            findings.evidence = list(dict.fromkeys(smaller))

    def _smallest(self, id_: str, evidence: Evidence, response: HttpResponse | None) -> Evidence:
        """Return the evidence of the smallest request found that breaks a property in the same way."""
        query = query_pairs(urlsplit(response.url).query) if response is not None else []
        is_small = not query or (len(query) == 1 and len(query[0][1]) <= MAX_CUT_SINGLY)
        if response is None or response.method != "GET" or is_small:
            return evidence
        found, path = [evidence], response.url.partition("?")[0].removeprefix(self.http.base_url)

        def fails(tried: Pairs) -> bool:
            self._shrinking_requests += 1
            if self._shrinking_requests > MAX_SHRINKING_REQUESTS:
                return False
            suite = copy(self)
            suite._exercised, suite._findings = Counter(), _no_findings(self.tested)
            suite.judge(self.http.send(path, tried), dict(self.http.headers))
            same = [each for each in suite._findings[id_].evidence if each.expected == evidence.expected]
            found.extend(same[:1])
            return bool(same)

        with suppress(CannotRunError, NoResponseError, TimeLimitError):
            shrink(query, fails)
        return found[-1]

    def _may_be_left_out(self, name: str, refused: str) -> bool:
        is_open = name in self.tested.unstated and not self.tested.operation.parameters[name].required
        return is_open and request_validity.fits(self.tested, name, refused)

    def result(self, id_: str) -> PropertyResult:
        """Return the verdict on a property."""
        return self._findings[id_].result()

    def finish(self) -> None:
        """Judge the server errors and missing responses that did not recur, and report what was exercised."""
        state, done = self.operation.state, self._exercised["successes"]
        state.exercised.update({f"generated {what}": count for what, count in self._exercised.items()})
        if done and self.tested.operation.method != "GET" and self.operation.its_list is None:
            state.notes.append(f"{self.tested.name} succeeded {done} times; its effects were not undone")
        errors, missing = self.http.transient_errors, self.http.missing_responses
        seen = f"{len(errors)} that did not recur"
        undecided = f"{len(errors)} server errors that did not recur when retried"
        self._judge_transient("failure", "no server errors", seen, [each.command for each in errors], undecided)
        if missing:
            seen = f"{len(missing)} requests got a response only when retried: {missing[0][0]}"
            self._judge_transient("answer", "a response each time", seen, [command for _, command in missing], seen)

    def _judge_transient(self, id_: str, expected: str, seen: str, commands: Sequence[str], undecided: str) -> None:
        """Blame failures that did not recur only if there are many."""
        if len(commands) >= MAX_SHOWN_BREACHES:
            evidence = Evidence(expected, seen, tuple(commands[:MAX_SHOWN_BREACHES]))
            self._findings[id_].evidence.append(evidence)
        elif commands:
            self._findings[id_].undecided.append(undecided)

    def judge(self, response: HttpResponse, sent: Mapping[str, str]) -> None:
        """Judge a response.

        Args:
            response: the response.
            sent: headers of the request.
        """
        self._count(response)
        if self._created is not None:
            self._created.record(response)
        with self._undecided_on_error("body"):
            self._judge_response(response)
        if response.method == self.tested.operation.method == "GET":
            query = query_pairs(urlsplit(response.url).query)
            with self._undecided_on_error("input"):
                assessment = self._assess(query, _parameters(self.tested, sent))
                self._judge_acceptance(response, assessment)
            if response.status in self.tested.operation.success and self.client is not None:
                with self._undecided_on_error("word"):
                    self._check_single_response(response, self.client)

    @contextmanager
    def _undecided_on_error(self, id_: str) -> Generator[None]:
        """Make a property undecided if judging a response raises an error: a hostile response may break any rule."""
        try:
            yield
        except (CannotRunError, NoResponseError, TimeLimitError):
            raise
        except Exception as error:  # noqa: BLE001 - see above
            findings, reason = self._findings[id_], judgement_failed(error)
            findings.tester_failed = True
            if reason not in findings.undecided:
                findings.undecided.append(reason)

    def _judge_response(self, response: HttpResponse) -> None:
        found = list(responses.faults(self.tested, response))
        if response.method != self.tested.operation.method:
            # Other methods are not part of this operation, so only failures and leaks count.
            kinds = ("leak",) if response.status == 501 else ("leak", "failure")
            found = [each for each in found if each.kind in kinds]
            self._findings["input"].observed[f"{response.method}: status {response.status}"] += 1
        self._findings["answer"].exercised += 1
        for kind in ("failure", "status", "content", "header", "body", "leak"):
            self._findings[kind].exercised += kind != "leak" or response.status >= 400
        for fault in found:
            findings = self._findings[fault.kind]
            is_too_long = response.status in (413, 414, 431, 494) and len(response.url) > 2000
            if fault.kind in ("status", "failure") and is_too_long:
                findings.observed["a very long request was refused with an undeclared status"] += 1
            elif fault.blamed:
                location = self.tested.location_at(fault.pointer)
                findings.breach(f"a response that matches {location}", fault.what, response)
            else:
                findings.observed[f"{fault.what}: a choice of this contract, not in the API reference"] += 1

    def _judge_acceptance(self, response: HttpResponse, assessment: Assessment) -> None:
        findings = self._findings.get(f"input.{assessment.parameter}") or self._findings["input"]
        accepted, refused = 200 <= response.status < 300, 400 <= response.status < 500
        query = urlsplit(response.url).query
        if assessment.validity is Validity.INVALID:
            findings.exercised += 1
            if accepted:
                seen = f"status {response.status}: accepted {_shown(assessment.parameter, query)}"
                location = self.tested.location_at(assessment.pointer)
                findings.breach(f"a refusal, as {location} forbids the value", seen, response)
        elif assessment.validity is Validity.VALID:
            for name in assessment.given:
                self._findings[f"input.{name}"].exercised += 1
            self._findings["input"].exercised += 1
            only = f"input.{assessment.given[0]}" if len(assessment.given) == 1 else "input"
            seen = f"status {response.status}"
            if response.status in (401, 403):
                self._findings["input"].breach("success, as the credentials are valid", seen, response)
            elif refused and request_validity.has_large_integer(self.tested, query_pairs(query)):
                findings.observed["refused an integer that may be too large to be stored"] += 1
            elif refused and response.status != 429:
                self._findings[only].breach("success, as the request is valid", seen, response)
        elif assessment.parameter and (accepted or refused):
            word = "accepted" if accepted else "refused"
            findings.observed[f"{word} a value that the API reference leaves open"] += 1

    def _check_single_response(self, response: HttpResponse, client: ListClient) -> None:
        """Check filters, order and limit in a single response. Retry a mismatch, as the data may have changed."""
        findings, query = self._findings["word"], query_pairs(urlsplit(response.url).query)
        if len(dict(query)) < len(query):
            return
        findings.exercised += 1
        broken = self._single_response_breach(response, client, dict(query))
        if broken is None:
            return
        again = self.http.send(urlsplit(response.url).path, query)
        if again.status in self.tested.operation.success and self._single_response_breach(again, client, dict(query)):
            findings.breach(*broken, response)
        else:
            findings.undecided.append(f"{broken[1]}, but not when retried")

    def _single_response_breach(
        self, response: HttpResponse, client: ListClient, given: Mapping[str, str]
    ) -> tuple[str, str] | None:
        """Return what was expected and seen if an item does not match a filter, or the order or limit is wrong."""
        rules = client.rules
        try:
            page = client.parse_page(response)
        except UnexpectedResponseError as error:
            return "a page of the list", error.what
        for name, text in given.items():
            rule = rules.filters.get(name)
            if rule is None or rule.op == "unstated" or rule.template or not self._is_valid(name, text):
                continue
            parameter = self.tested.operation.parameters[name]
            texts = text.split(",") if parameter.is_array else [text]
            values = [sample_values.typed(each, parameter) for each in texts]
            matches = matcher(rule, client.value_type(rule.property or ""), values)
            for item in page.items:
                fine = matches(item) is not False
                absent = not item.values[rule.property or ""] and client.assumed_defaults.get(name) == text
                if not fine and not absent:
                    return f"only items that match {name}", f"item {item.identity}, which does not"
        limit = given.get(rules.limit, "")
        if self._is_valid(rules.limit, limit) and len(page.items) > int(limit):
            return f"at most {limit} items", f"{len(page.items)} items"
        order = rules.order if rules.order and rules.order.source != "unstated" else None
        asked = requested(order, given) if order else None
        if order and asked:
            fine, seen = in_order(criteria(order, [asked], client.value_type), page.items)
            if not fine:
                return f"{asked[1]} order", seen
        return None

    def _is_valid(self, name: str, text: str) -> bool:
        return self._assess([(name, text)]).validity is Validity.VALID

    def _assess(self, query: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None) -> Assessment:
        longest = self.client.page_length if self.client and self.operation.snapshot else None
        return request_validity.assess(self.tested, query, headers, longest)

    def _count(self, response: HttpResponse) -> None:
        self._exercised["answers"] += 1
        if response.status in self.tested.operation.success:
            self._exercised["successes"] += 1
            if self.client is not None and any(values_at(response.json, f"{self.client.rules.items}/*")):
                self._exercised["successes with items"] += 1


def _no_findings(tested: OperationUnderTest) -> dict[str, PropertyFindings]:
    return {each.id: PropertyFindings(each) for each in properties(tested)}


def _parameters(tested: OperationUnderTest, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers and cookies that are parameters of the operation."""
    sent = {name.lower(): value for name, value in headers.items()}
    pairs = (each.strip().partition("=") for each in sent.get("cookie", "").split(";"))
    cookies = {name: value for name, _, value in pairs}
    found: dict[str, str] = {}
    for where, name in tested.parameter_pointers:
        value = sent.get(name.lower()) if where == "header" else cookies.get(name) if where == "cookie" else None
        found |= {} if value is None else {name: value}
    return found


def _shown(parameter: str, query: str) -> str:
    return next((f"{name}={value}" for name, value in query_pairs(query) if name == parameter), parameter)[:200]
