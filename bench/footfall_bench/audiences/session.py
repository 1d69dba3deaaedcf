"""One session: each database in rounds, each with a start of its own and its questions in an order of its own."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from .. import progress
from ..errors import BenchError
from ..plans import Plan
from ..proc import CORES
from ..processes import Supervisor
from ..record.stage import FIRST_PORT
from . import questions, stage
from .measure import List, Sample, members, save, size
from .questions import EVERYBODY, FEW, TWO, Question
from .stage import KINDS, AnyStage

# Of each question in a round, beside the first of all.
TIMES = 5


@dataclass
class Seen:
    """All that was seen of a database."""

    # The very first question, after all has been started.
    first: list[Sample] = field(default_factory=list)
    # With every visit looked at.
    rows: list[Sample] = field(default_factory=list)
    # By the names of questions.
    answers: dict[str, list[Sample]] = field(default_factory=dict)
    lists: dict[str, list[List]] = field(default_factory=dict)

    def samples(self) -> list[Sample]:
        asked = [one for some in self.answers.values() for one in some]
        return [*self.first, *self.rows, *asked]


@dataclass
class Session:
    """All that was seen."""

    visits: int
    questions: Mapping[str, Question] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=lambda: {kind.title: Seen() for kind in KINDS})

    def foreign_share(self) -> float:
        """What was taken of the CPU by programs that had nothing to do with this, while anything was measured."""
        samples = [sample for seen in self.seen.values() for sample in seen.samples()]
        foreign = sum(sample.foreign_milliseconds for sample in samples)
        elapsed = sum(sample.milliseconds for sample in samples)
        return max(0.0, foreign / elapsed / CORES)

    def size(self, name: str) -> int | None:
        """How many an audience has, which is the same in all answers; None if there was none."""
        sizes = set()
        for seen in self.seen.values():
            asked = seen.answers[name] + (seen.first + seen.rows if name == TWO else [])
            sizes |= {sample.size for sample in asked if sample.size is not None}
            sizes |= {one.members for one in seen.lists.get(name, [])}
        if len(sizes) > 1:
            raise BenchError(f"{name} has {sorted(sizes)} members, by who is asked and how")
        return next(iter(sizes), None)

    def to_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return {
            "visits": self.visits,
            "questions": [asdict(question) for question in self.questions.values()],
            "seen": [{"database": title, **asdict(seen)} for title, seen in self.seen.items()],
        }


def run(plan: Plan, seed: int) -> Session:
    """Starts everything, measures, and stops everything."""
    random = Random(seed)
    session = Session(plan.audience_visits)
    with Supervisor(FIRST_PORT) as supervisor:
        if plan.published:
            stage.sum_up(supervisor, plan.audience_visits)
    for repetition in range(1, plan.audience_repetitions + 1):
        for kind in KINDS:
            step = f"round {repetition} of {plan.audience_repetitions} with {kind.title}"
            with Supervisor(FIRST_PORT) as supervisor:
                opened = stage.open_stage(kind, supervisor, plan.audience_visits)
                with progress.step(step):
                    _measure_round(session, opened, random)
    for name in session.questions:
        session.size(name)
    return session


def _measure_round(session: Session, opened: AnyStage, random: Random) -> None:
    session.questions = questions.all_of(stage.start_of(opened))
    stage.remember_sums(opened)
    opened.start()
    ids = {name: save(opened, question) for name, question in session.questions.items()}
    seen = session.seen[opened.title]
    seen.first.append(size(opened, ids[TWO]))
    for name in random.sample(list(ids), len(ids)):
        asked = [size(opened, ids[name]) for _ in range(TIMES)]
        seen.answers.setdefault(name, []).extend(asked)
    for name in (FEW, EVERYBODY):
        seen.lists.setdefault(name, []).append(members(opened, ids[name]))
    stage.forget_sums(opened)
    seen.rows.append(size(opened, ids[TWO]))
    stage.remember_sums(opened)
