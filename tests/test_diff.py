"""Test diff, to hold what is told of two plans to what differs between them: nothing missed, nothing told twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from smoadsl.language.lock import Entry
from smoadsl.plan.diff import Difference, Reviewed, diff
from smoadsl.plan.matching import matched
from smoadsl.plan.plan import Money, Plan
from tests.scripts import pipeline, planned


def difference(before: str, after: str, name: str = "p") -> Difference:
    old, new = planned(before, name), planned(after, name)
    return diff(Reviewed(file="old.moa", plan=old, locked={}), Reviewed(file="new.moa", plan=new, locked={}))


def told(found: Difference) -> list[str]:
    """Each change in a line."""
    return [
        f"{one.where}: {one.what}{' renamed' * one.renamed} {one.before} -> {one.after}"
        + (f" only in {'; '.join(one.places)}" if one.places else "")
        for one in found.changes
    ]


@dataclass(frozen=True)
class Case:
    before: str
    after: str
    changes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    end: tuple[str, str] = ("aggregate d", "aggregate d")
    more: tuple[str, str] = ("", "")

    def difference(self) -> Difference:
        return difference(
            pipeline(self.before, self.end[0], self.more[0]), pipeline(self.after, self.end[1], self.more[1])
        )


ONE = "layer one repeat 2 { propose a, b, c\n judge j keep 1 }"
LAB = 'model m = "lab/m"\nprovider lab = openai { base_url = "http://localhost:1/v1" }'
CASES = {
    "nothing": Case(ONE, ONE),
    "where it stands does not count": Case(ONE, "\n\n# moved\n" + ONE),
    "keep": Case(ONE, ONE.replace("keep 1", "keep 2"), ("layer one: keep 1 -> 2",)),
    "rounds": Case(ONE, ONE.replace("repeat 2", "repeat 3"), ("layer one: rounds 2 -> 3",)),
    "a judge comes": Case(
        "layer one { propose a, b }", "layer one { propose a, b\n judge j keep 1 }",
        ("layer one: judge None -> j keep 1",),
    ),
    "another kind of judge": Case(
        ONE, ONE.replace("judge j", "judge score(j)"),
        ("layer one: kind of judge rank -> score", "layer one, judge: template built-in rank -> built-in score"),
    ),
    "a free judge": Case(ONE, ONE.replace("judge j", "judge vote()"), ("layer one: judge j -> vote()",)),
    "settings of a judge": Case(
        ONE, ONE.replace("keep 1", 'keep 1 { criteria = "Short.", otherwise = first }'),
        ("layer one: otherwise consensus -> first",), ("criteria of the judge, layer one",),
    ),
    "a stop rule": Case(
        ONE, ONE.replace("keep 1", "keep 1\n stop when agreement >= 0.5"),
        ("layer one: stop None -> when agreement >= 0.5",),
    ),
    "another stop rule": Case(
        ONE.replace("keep 1", "keep 1\n stop when agreement >= 0.5"),
        ONE.replace("keep 1", "keep 1\n stop pipeline when agreement >= 0.6"),
        ("layer one: stop when agreement >= 0.5 -> pipeline when agreement >= 0.6",),
    ),
    "views, quorum, gate": Case(
        "layer one repeat 2 { propose a, b, c }",
        "layer one repeat 2 { propose a, b, c sees peers\n activate 2 by router(j)\n quorum 1 after 3s }",
        (
            "layer one, a: sees all -> peers",
            "layer one, b: sees all -> peers",
            "layer one, c: sees all -> peers",
            "layer one: activate None -> 2 by router(j)",
            "layer one: quorum None -> 1 after 3s",
        ),
    ),
    "an agent comes": Case(
        "layer one { propose a }", "layer one { propose a, b }", ("layer one: agents None -> b = groq/model-b",)
    ),
    "agents go": Case(
        "layer one { propose a, b, c }", "layer one { propose b }",
        ("layer one: agents a = groq/model-a, c = groq/model-c -> None",),
    ),
    "a model is swapped": Case(
        "layer one { propose a, b }", "layer one { propose c, b }",
        (
            "layer one, c: model a = groq/model-a -> c = groq/model-c",
            "layer one, c: max_tokens 50 -> 2_048",
            "layer one, c: temperature 0.7 -> None",
        ),
    ),
    "more samples": Case(
        "layer one { propose a * 2 }", "layer one { propose a * 4 }", ("layer one: samples of a 2 -> 4",)
    ),
    "the first samples": Case(
        "layer one { propose a }", "layer one { propose a * 3 }", ("layer one: samples of a 1 -> 3",)
    ),
    "another order": Case(
        "layer one { propose a, b, c }", "layer one { propose c, a, b }",
        ("layer one: order of agents a, b, c -> c, a, b",),
    ),
    "an agent is renamed": Case(
        "layer one { propose x = a, b }", "layer one { propose y = a, b }", ("layer one, y: name renamed x -> y",)
    ),
    "a layer comes": Case(
        "layer one { propose a }", "layer one { propose a }\nlayer two repeat 2 { propose b, c }",
        ("pipeline p: layer None -> two: b, c, 2 rounds",),
    ),
    "a layer is renamed": Case(
        "layer one { propose a, b }", "layer first { propose a, b }", ("layer first: name renamed one -> first",)
    ),
    "a layer is renamed and changed": Case(
        "layer one { propose a, b }", "layer first repeat 2 { propose a, b, c }",
        (
            "layer first: name renamed one -> first",
            "layer first: rounds 1 -> 2",
            "layer first: agents None -> c = groq/model-c",
        ),
    ),
    "layers change places": Case(
        "layer one { propose a }\nlayer two { propose b }", "layer two { propose b }\nlayer one { propose a }",
        ("pipeline p: order of layers one, two -> two, one",),
    ),
    "the aggregate": Case("", "", ("aggregate: by d -> vote()",), end=("layer x { propose a, b }\naggregate d",
                                                                        "layer x { propose a, b }\naggregate vote()")),
    "answer and budget": Case(
        "", "answer number\nbudget { calls = 9, time = 2m }",
        (
            "pipeline p: answer text -> number",
            "pipeline p: budget calls None -> 9",
            "pipeline p: budget time_s None -> 120",
        ),
    ),
    "a setting of a model, everywhere": Case(
        "layer one { propose m }", "layer one { propose m }", ("model m: top_p None -> 0.9",), end=("aggregate m",) * 2,
        more=('model m = "groq/m"', 'model m = "groq/m" { top_p = 0.9 }'),
    ),
    "a setting in one place": Case(
        "layer one { propose m }", "layer one { propose m { top_p = 0.9 } }",
        ("model m: top_p None -> 0.9 only in layer one, m",), end=("aggregate m",) * 2,
        more=('model m = "groq/m"',) * 2,
    ),
    "a price and a fallback": Case(
        "", "",
        (
            "model m: price.input None -> $0.50",
            "model m: price.output None -> $1.25",
            "model m: fallback None -> groq/model-a",
            "provider groq: address None -> https://api.groq.com/openai/v1",
        ),
        end=("aggregate m",) * 2,
        more=(LAB, LAB.replace('lab/m"', 'lab/m" { price = { input = $0.50, output = $1.25 }, fallback = a }')),
    ),
    "another model under the same name": Case(
        "", "", ("model m: provider/id groq/m -> groq/n",), end=("aggregate m",) * 2,
        more=('model m = "groq/m"', 'model m = "groq/n"'),
    ),
    "a model is renamed": Case(
        "layer one { propose m, a }", "layer one { propose n, a }", ("model n: name renamed m -> n",),
        end=("aggregate m", "aggregate n"), more=('model m = "groq/m"', 'model n = "groq/m"'),
    ),
    "another address": Case(
        "", "", ("provider lab: base_url http://localhost:1/v1 -> http://localhost:2/v1",), end=("aggregate m",) * 2,
        more=(LAB, LAB.replace(":1", ":2")),
    ),
    "a template": Case(
        "layer one { propose a { template = t } }", "layer one { propose a { template = t } }", (), ("template t",),
        more=('template t = "Think."', 'template t = "Think twice."'),
    ),
    "a template is renamed": Case(
        "layer one { propose a { template = t } }", "layer one { propose a { template = u } }",
        ("template u: name renamed t -> u",), more=('template t = "Think."', 'template u = "Think."'),
    ),
    "a template comes": Case(
        "layer one { propose a }", "layer one { propose a { template = t } }",
        ("layer one, a: template built-in propose -> t",), ("template t",), more=("", 'template t = "Think."'),
    ),
    "a role": Case(
        "layer one { propose a, b as r }", "layer one { propose a, b as r }", (), ("role of a, b, layer one",),
        more=('role r = "You doubt."', 'role r = "You hope."'),
    ),
    "inside a pipeline that is an agent": Case(
        "layer one { propose q, q2 = q }", "layer one { propose q, q2 = q }", ("pipeline q, layer x: rounds 1 -> 2",),
        more=("pipeline q { layer x { propose a, b }\n aggregate c }",
              "pipeline q { layer x repeat 2 { propose a, b }\n aggregate c }"),
    ),
    "a model becomes a pipeline": Case(
        "layer one { propose x = a }", "layer one { propose x = q }",
        ("layer one, x: by x = groq/model-a -> x = pipeline q",),
        more=("pipeline q { layer x { propose a, b }\n aggregate c }",) * 2,
    ),
    "roles that are to be made": Case(
        "layer one { propose a, b as r }", "layer one { propose a, b as r }", (), ("task of roles r",),
        more=('roles r = generate(j, 2) { task = "Explain." }', 'roles r = generate(j, 2) { task = "Prove." }'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_told(case: Case) -> None:
    found = case.difference()
    assert told(found) == list(case.changes)
    assert [text.what for text in found.texts] == list(case.texts)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_goes_one_way_goes_the_other(case: Case) -> None:
    there = case.difference()
    back = Case(case.after, case.before, end=(case.end[1], case.end[0]), more=(case.more[1], case.more[0])).difference()
    assert len(there.changes) == len(back.changes)
    assert [(t.before, t.after) for t in there.texts] == [(t.after, t.before) for t in back.texts]
    assert there.is_none == back.is_none == (not case.changes and not case.texts)


def test_a_text_is_told_by_its_lines() -> None:
    case = CASES["a template"]
    (text,) = case.difference().texts
    assert (text.before, text.after, text.added, text.removed) == (True, True, 1, 1)
    assert text.lines == ("@@ -1 +1 @@", "-Think.", "+Think twice.")


def test_decisions_that_come_and_go() -> None:
    found = difference(pipeline(ONE), pipeline(ONE.replace("keep 1", "keep 1\n stop when moderator(j)")))
    assert [made.pass_name for made in found.decisions_new] == ["fuse"]
    assert found.decisions_gone == ()
    assert not found.is_none


def test_figures_and_by_how_much_they_rise() -> None:
    found = difference(pipeline("layer one { propose a, b }"), pipeline("layer one { propose a, b, c }"))
    calls = found.figure("calls")
    assert calls.before is not None
    assert calls.after is not None
    assert (calls.before.full, calls.after.full) == (3, 4)
    assert calls.percent.full == pytest.approx(100 / 3)


# ---- money that is and is not known


@dataclass(frozen=True)
class Priced:
    usd: float | None
    unpriced: tuple[str, ...] = field(default=())

    def of(self, plan: Plan) -> Plan:
        assert plan.bounds is not None
        amount = None if self.usd is None else Decimal(str(self.usd))
        money = None if amount is None else Money(least=amount / 2, full=amount, worst=amount)
        bounds = plan.bounds.model_copy(update={"usd": money, "unpriced": self.unpriced})
        return plan.model_copy(update={"bounds": bounds})


def costs(before: Priced, after: Priced) -> Difference:
    plan = planned(pipeline(ONE))
    return diff(
        Reviewed(file="o.moa", plan=before.of(plan), locked={}), Reviewed(file="n.moa", plan=after.of(plan), locked={})
    )


def test_a_price_that_is_not_known_has_no_percent() -> None:
    usd = costs(Priced(0.2), Priced(None, ("lab/m",))).figure("usd")
    assert (usd.after, usd.percent.worst, usd.is_change) == (None, None, True)
    free = costs(Priced(0), Priced(0.2)).figure("usd")
    assert (free.percent.worst, free.is_change) == (None, True)


# ---- locks


def locked(roles: Mapping[str, tuple[str, ...]], model: str = "groq/model-j") -> dict[str, Entry]:
    return {name: Entry("0" * 64, len(texts), model, texts) for name, texts in roles.items()}


def of_locks(before: dict[str, Entry], after: dict[str, Entry]) -> Difference:
    """Two plans whose agents have the locked roles."""
    plans = []
    for entries in (before, after):
        roles = ", ".join(f'"{role}"' for entry in entries.values() for role in entry.roles)
        plans.append(planned(pipeline("layer one { propose a, b as r }", more=f"roles r = [{roles}]")))
    return diff(
        Reviewed(file="o.moa", plan=plans[0], locked=before), Reviewed(file="n.moa", plan=plans[1], locked=after)
    )


def test_a_locks_entry_is_told_once_and_not_again_as_roles() -> None:
    found = of_locks(locked({"r": ("You doubt.", "You hope.")}), locked({"r": ("You doubt.", "You know.")}))
    assert [text.what for text in found.texts] == ["locked roles r"]
    assert found.texts[0].lines[-2:] == ("-You hope.", "+You know.")


def test_who_made_the_roles_is_part_of_the_lock() -> None:
    roles = {"r": ("You doubt.", "You hope.")}
    (text,) = of_locks(locked(roles), locked(roles, "groq/other")).texts
    assert "+made by groq/other, fingerprint 000000000000" in text.lines


# ---- matching


@pytest.mark.parametrize(
    ("before", "after", "pairs"),
    [
        ("a b c", "a b c", "a-a b-b c-c"),
        ("a b c", "a c", "a-a c-c b-"),
        ("a c", "a b c", "a-a -b c-c"),
        ("a x1 c", "a y1 c", "a-a x1-y1 c-c"),
        ("a x1 c", "y1 a c", "x1-y1 a-a c-c"),
        ("a p c", "a q c", "a-a p-q c-c"),
        ("a p c", "a c q", "a-a c-c -q p-"),
        ("a p o c", "a q c", "a-a -q c-c p- o-"),
        ("a P c", "a q c", "a-a -q c-c P-"),
        ("", "a", "-a"),
    ],
)
def test_what_became_of_what(before: str, after: str, pairs: str) -> None:
    """Words that end in the same figure are the same but for their name; words in small letters are near."""

    def same(one: str, other: str) -> bool:
        return one[-1].isdigit() and one[-1] == other[-1]

    def near(one: str, other: str) -> bool:
        return one.islower() and other.islower()

    found = matched(before.split(), after.split(), str, same, near)
    assert " ".join(f"{old or ''}-{new or ''}" for old, new in found) == pairs
