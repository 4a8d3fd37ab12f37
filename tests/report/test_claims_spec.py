"""The fields of a claim, the message for each mistake, and the expressions of metrics."""

import math
from array import array

import pytest
from claim_folders import claim

from dlexp import UserError
from dlexp.report.claims import expression, spec
from dlexp.report.measured import Curve
from dlexp.report.runs import RunRecord


def read(*claims, parts=("all",)):
    return spec.read({"name": "weight_decay", "claims": list(claims)}, parts)


def refused(*claims, parts=("all",)):
    with pytest.raises(UserError) as caught:
        read(*claims, parts=parts)
    said = str(caught.value)
    assert "\n" not in said
    return said


# --- claims


def test_a_claim_is_read_with_its_defaults():
    (found,) = read(claim())
    assert (found.id, found.part, found.reduce, found.sign, found.tuned) == (
        "shrinks",
        "all",
        "mean",
        -1,
        (),
    )
    assert found.says["zh"] == "权重衰减使其变小。"
    assert found.metric.names == ("test/loss",)
    assert found.of == {"regularizer": "weight_decay"}


def test_a_study_without_claims_has_none():
    assert spec.read({}, ()) == spec.read({"claims": None}, ["all"]) == ()


def test_everything_a_claim_can_say_is_read():
    (found,) = read(
        claim(
            part="strength",
            over="initializer.std",
            reduce="range",
            diverged=0.1,
            tuned=["optimizer.lr"],
            guard={"metric": "train/accuracy", "at_least": 0.7, "of": "of"},
            direction="as_good",
            better="high",
        ),
        parts=("strength", "width"),
    )
    assert (found.part, found.over, found.reduce, found.diverged) == (
        "strength",
        "initializer.std",
        "range",
        0.1,
    )
    assert (found.guard.metric.text, found.guard.at_least, found.guard.of) == (
        "train/accuracy",
        0.7,
        "of",
    )
    assert (found.high, found.sign, found.tuned) == (True, 1, ("optimizer.lr",))


def test_the_place_of_a_mistake_is_the_claim_s_number_and_the_study_s_name():
    assert (
        refused(claim(), claim(id="b"), claim(id="c", direction="les"))
        == "study.claims[2].direction=les (weight_decay): there is no such value; choose from"
        " as_good, less, more; did you mean 'less'?"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"metrik": "x"},
            (
                r"study.claims[0].metrik (weight_decay): there is no such field; choose from"
                r" against, better,"
            ),
        ),
        ({"metrik": "x"}, "did you mean 'metric'?"),
        ({"id": None}, "study.claims[0].id (weight_decay): is missing"),
        ({"id": "two words"}, "must be a word"),
        ({"says": {"en": "Yes."}}, "study.claims[0].says.zh (weight_decay): is missing"),
        ({"says": {"zh": "是"}}, "study.claims[0].says.en (weight_decay): is missing"),
        ({"says": {"en": " ", "zh": "是"}}, "study.claims[0].says.en"),
        (
            {"says": {"en": "Yes.", "zh": "是", "fr": "Oui."}},
            "says.fr (weight_decay): there is no such field",
        ),
        ({"says": "Yes."}, "says=Yes. (weight_decay): must be a mapping"),
        ({"metric": None}, "metric (weight_decay): is missing"),
        ({"of": None}, "of (weight_decay): is missing"),
        ({"against": None}, "against (weight_decay): is missing"),
        ({"of": {}}, "must select runs"),
        ({"of": "weight_decay"}, "must select runs"),
        ({"of": {"seed": 1}}, "is about all seeds"),
        ({"against": {"regularizer": "weight_decay"}}, "nothing to compare"),
        ({"margin": None}, "margin (weight_decay): is missing"),
        ({"margin": 0}, "margin=0.0 (weight_decay): must be > 0"),
        ({"margin": -0.1}, "must be > 0"),
        ({"margin": "big"}, "margin=big (weight_decay): must be a finite number"),
        ({"margin": True}, "must be a finite number"),
        ({"margin": math.nan}, "must be a finite number"),
        ({"over": "initializer.std", "reduce": "rnge"}, "did you mean 'range'?"),
        ({"reduce": "range"}, "needs `over`"),
        ({"over": "regularizer"}, "is fixed by `of` or `against`"),
        ({"over": 3}, "must be text"),
        ({"direction": "as_good", "metric": "a / b"}, "better (weight_decay): is missing"),
        ({"direction": "as_good", "better": "hihg"}, "did you mean 'high'?"),
        ({"better": "high"}, "is only for direction: as_good"),
        (
            {"part": "widht"},
            (
                "part=widht (weight_decay): there is no such value; choose from strength, width;"
                " did you mean 'width'?"
            ),
        ),
        ({"part": None}, "part (weight_decay): is missing: the study has several parts"),
        (
            {"metric": "test/loss +"},
            "metric=test/loss + (weight_decay): a value is missing",
        ),
        ({"guard": 0.7}, "guard=0.7 (weight_decay): must be a mapping"),
        (
            {"guard": {"metric": "train/accuracy"}},
            "guard (weight_decay): needs at_least or at_most",
        ),
        ({"guard": {"at_least": 0.7}}, "guard.metric (weight_decay): is missing"),
        ({"guard": {"metric": "a (", "at_least": 0.7}}, "guard.metric=a ( (weight_decay)"),
        ({"guard": {"metric": "a", "at_leats": 0.7}}, "did you mean 'at_least'?"),
        ({"guard": {"metric": "a", "at_least": 0.7, "of": "bothe"}}, "did you mean 'both'?"),
        ({"diverged": "worst"}, "diverged=worst (weight_decay): must be a finite number"),
        ({"tuned": "optimizer.lr"}, "must be a list of keys"),
        ({"tuned": []}, "must be a list of keys"),
        ({"tuned": ["regularizer"]}, "tuned=regularizer (weight_decay): is fixed by"),
    ],
)
def test_every_mistake_is_told_in_one_line(changes, said):
    assert said in refused(claim(**({"part": "width"} | changes)), parts=("width", "strength"))


def test_two_claims_of_one_id_are_refused():
    assert "study.claims[1].id=shrinks (weight_decay): another claim has this id" in refused(
        claim(), claim()
    )


@pytest.mark.parametrize("claims", ["shrinks", {"shrinks": {}}, 3])
def test_claims_that_are_no_list_are_refused(claims):
    with pytest.raises(UserError, match="must be a list of claims"):
        spec.read({"claims": claims}, ())


def test_a_claim_that_is_no_mapping_is_refused():
    assert refused("yes") == "study.claims[0]=yes (weight_decay): must be a mapping"


@pytest.mark.parametrize(
    ("metric", "sign"),
    [
        ("test/accuracy", 1),
        ("train/accuracy @ mean", 1),
        ("test/loss", -1),
        ("gap/accuracy", -1),
        ("gap/loss", -1),
    ],
)
def test_as_good_knows_which_way_an_accuracy_a_loss_and_a_gap_are_better(metric, sign):
    assert read(claim(direction="as_good", metric=metric))[0].sign == sign


# --- expressions


def run(status="FINISHED", epoch_steps=5, **final):
    curve = Curve((0, 5, 10), array("d", (8.0, 4.0, 3.0)))
    way = Curve((0, 1, 2, 3, 4, 5), array("d", (0.0, 1.0, -1.0, -1.0, -2.0, 3.0)))
    known = {"d/y": 3.0, "a": 2.0, "d/x/a1": 100.0, "d/x/a5": 1.0, "test/loss": 0.5} | final
    return RunRecord(
        "s",
        "k",
        "r",
        status,
        0,
        curves={"train/loss": curve, "d/y": way},
        final=known,
        steps=10,
        epoch_steps=epoch_steps,
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 2.0),
        ("test/loss", 0.5),
        ("a + 3 * a", 8.0),
        ("(a + 3) * a", 10.0),
        ("a - 1 - 1", 0.0),
        ("8 / a / 2", 2.0),
        ("-a", -2.0),
        ("2 - -a", 4.0),
        ("- (a - 5)", 3.0),
        ("1e2 * a", 200.0),
        (".5*a", 1.0),
        ("min(a, 1, 3)", 1.0),
        ("max(a, 1)", 2.0),
        ("abs(log10(d/x/a5 / d/x/a1))", 2.0),
        ("train/loss @ start", 8.0),
        ("train/loss @ mean", 5.0),
        ("train/loss @ step 5", 4.0),
        ("train/loss @ step 9", 4.0),
        ("train/loss @ step 10", 3.0),
        ("train/loss @ epoch 1", 4.0),
        ("train/loss @ epoch 0 - train/loss @ epoch 2", 5.0),
        ("a @ end", 2.0),
        ("train/loss @ travel", 5.0),
        ("train/loss @ turns", 0),
        ("d/y @ travel", 9.0),
        ("d/y @ turns", 2),
        ("d/x/*5", 1.0),
        ("d/x/*1 / d/x/*5", 100.0),
        ("d/y @ step 1 * d/y* @ turns", 2),
    ],
)
def test_an_expression_is_what_it_says(text, value):
    assert expression.parse(text).of(run()) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["a / 0", "log10(0 * a)", "log10(-a)", "a / (a - 2)", "1e200 * 1e200 * a", "1e301 + a"]
)
def test_what_is_no_finite_number_is_nan(text):
    assert math.isnan(expression.parse(text).of(run()))


@pytest.mark.parametrize(
    "text",
    [
        *("b", "a + b", "a @ mean", "train/loss", "train/loss @ start + b"),
        *("train/loss @ step 11", "train/loss @ epoch 3", "a + train/loss @ step 99"),
    ],
)
def test_what_was_not_measured_is_nothing(text):
    assert expression.parse(text).of(run()) is None


def test_a_diverging_curve_has_no_mean_and_an_epoch_without_a_length_no_value():
    broken = RunRecord(
        "s", "k", "r", "FINISHED", 0, curves={"c": Curve((0, 5), array("d", (1.0, math.nan)))}
    )
    assert math.isnan(expression.parse("c @ mean").of(broken))
    assert expression.parse("c @ epoch 1").of(broken) is None
    assert expression.parse("c @ epoch 0").of(broken) == 1.0


def test_names_are_listed_once_in_their_order_whatever_the_moment():
    assert expression.parse("b/x @ start - a * b/x + max(c, 2)").names == ("b/x", "a", "c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a metric"),
        (None, "must be a metric"),
        (3, "must be a metric"),
        ("3 + 4", "names no metric"),
        ("a b", "cannot be read at 'b'"),
        ("a $ b", "cannot be read at '$ b'"),
        ("a ** 2", "there is '*' in its place"),
        ("(a", "a parenthesis is not closed"),
        ("a)", "cannot be read at ')'"),
        ("sqrt(a)", "there is no function 'sqrt'; choose from abs, log10, max, min"),
        ("log(a)", "did you mean 'log10'?"),
        ("abs(a, a)", "abs takes one value, not 2"),
        ("min(a)", "min takes two or more values, not 1"),
        ("a @", "there is no moment ''"),
        ("a @ best", "there is no moment 'best'; choose from end, mean, start, step N, epoch N"),
        ("a @ men", "did you mean 'mean'?"),
        ("a @ step", "step needs a whole number"),
        ("a @ epoch 1.5", "epoch needs a whole number"),
        ("gap/loss @ mean", "gap/loss has a value only at the end"),
        ("3x", "cannot be read at '3x'"),
        ("__import__('os')", "cannot be read at"),
        ("a" * 501, "longer than 500"),
        ("(" * 200 + "a" + ")" * 200, "more than 40 levels"),
        ("-" * 200 + "a", "more than 40 levels"),
    ],
)
def test_an_expression_that_cannot_be_read_is_refused_in_one_line(text, said):
    with pytest.raises(UserError) as caught:
        expression.parse(text, "study.claims[0].metric", "weight_decay")
    assert said in str(caught.value)
    assert str(caught.value).startswith("study.claims[0].metric")
    assert "\n" not in str(caught.value)


def test_a_long_expression_is_not_repeated_whole_by_its_error():
    with pytest.raises(UserError) as caught:
        expression.parse("(" * 300 + "a" + ")" * 100)
    assert str(caught.value) == f"metric={'(' * 60}…: has more than 40 levels"
