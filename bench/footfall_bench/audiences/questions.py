"""What is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from . import visits_sql


@dataclass(frozen=True)
class Question:
    """An audience."""

    name: str
    title: str
    filter: Mapping[str, Any]

    # Mappings have no hash, and names are different.
    def __hash__(self) -> int:
        return hash(self.name)


TWO = "two"
WHOLE = "whole"
PROPERTY = "property"
EVERYBODY = "everybody"
FEW = "few"


def all_of(start: int) -> dict[str, Question]:
    """All of them, of visits from this moment on, which is a noon."""
    noon = datetime.fromtimestamp(start / 1000, UTC)
    end = noon + timedelta(days=visits_sql.DAYS)
    thirty = _within(noon, end)
    # Midnight after the first and before the last.
    whole = _within(noon + timedelta(hours=12), end - timedelta(hours=12))
    pro = {"where": [{"property": "plan", "in": ["pro"]}]}
    thrice = {"times": {"at_least": 3}}
    asked = (
        Question(TWO, "two counters, one exclusion, 30 days", _two_but_one(thirty)),
        Question(WHOLE, "the same, 29 whole days", _two_but_one(whole)),
        Question("thrice", "the same, three times or more", _two_but_one(thirty, thrice)),
        Question(PROPERTY, "the same, with a property", _two_but_one(thirty, pro)),
        Question("path", "a path, on any counter", _include({"visitor": "path", "in": ["/7"]})),
        Question(EVERYBODY, "one counter, whole days", _include(_did("signup", whole))),
        Question(FEW, "one counter, nine times or more", _include(_did("signup", whole, {"times": {"at_least": 9}}))),
    )  # fmt: skip
    return {question.name: question for question in asked}


def _within(start: datetime, end: datetime) -> dict[str, Any]:
    moments = (moment.isoformat().replace("+00:00", "Z") for moment in (start, end))
    return {"within": dict(zip(("from", "to"), moments, strict=True))}


def _did(counter: str, *parts: Mapping[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {"counter": counter}
    for part in parts:
        members |= part
    return {"did": members}


def _two_but_one(within: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    both = [_did("signup", within, more or {}), _did("page", within)]
    return {"version": 1, "include": {"all": both}, "exclude": _did("refund", within)}


def _include(node: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": 1, "include": node}
