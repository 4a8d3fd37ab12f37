"""Plugins: frozen, checked, found by name; fields with their ranges."""

import dataclasses

import pytest

import dlexp
from dlexp import FieldError, PluginError
from dlexp.core import fields, registry


@pytest.fixture
def registered():
    made = []

    def register(cls):
        made.append(cls)
        return cls

    yield register
    for cls in made:
        registry.unregister(cls)


def schedule(name, **members):
    return type(
        name.capitalize(), (dlexp.Schedule,), {"__call__": lambda self, t, total: 1.0, **members}
    )


def test_a_plugin_is_a_frozen_dataclass_found_by_its_name(registered):
    cls = registered(
        dlexp.plugin("thing")(
            schedule("thing", __annotations__={"a": float}, a=dlexp.positive(2.0))
        )
    )
    assert registry.find("schedule", "thing") is cls
    assert cls().a == 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().a = 3.0
    assert registry.from_dict("schedule", registry.as_dict(cls(a=5))) == cls(a=5)


def test_a_second_plugin_of_the_same_name_is_refused(registered):
    registered(dlexp.plugin("thing")(schedule("thing")))
    with pytest.raises(PluginError, match=r"schedule=thing: is already registered by .*Thing"):
        dlexp.plugin("thing")(schedule("thing"))


def test_an_unknown_name_is_answered_with_the_nearest_and_all_names():
    with pytest.raises(
        PluginError,
        match=r"optimizer=adm: there is no optimizer of that name; .* did you mean 'adam'",
    ):
        registry.find("optimizer", "adm")
    with pytest.raises(PluginError, match=r"nothing yet: write plugins/nothing/x\.py"):
        registry.find("nothing", "x")


def test_fields_in_a_base_that_is_no_dataclass_are_refused():
    base = type(
        "Base", (dlexp.Schedule,), {"__annotations__": {"a": float}, "a": dlexp.positive(1.0)}
    )
    with pytest.raises(PluginError, match=r"Base\.a is no field: decorate Base"):
        dlexp.plugin("thing")(type("Thing", (base,), {"__call__": lambda self, t, total: 1.0}))
    assert "thing" not in {cls.name for cls in registry.every("schedule")}


@dataclasses.dataclass
class Everything:
    number: float = fields.positive(1.0)
    count: int = fields.non_negative(0)
    maybe: float | None = fields.at_least(2, None)
    share: float = fields.fraction(0.5)
    part: float = fields.between(0, 1, 0.5)
    word: str = fields.one_of("a", "b")
    many: tuple[int, ...] = fields.each_positive(1, 2)
    flag: bool = True

    def __post_init__(self):
        fields.check_fields(self)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("number", 0, "must be > 0"),
        ("number", float("nan"), "must be a finite number"),
        ("number", float("inf"), "must be a finite number"),
        ("number", True, "must be a number"),
        ("number", "1", "must be a number"),
        ("number", None, "must be a number"),
        ("count", -1, "must be >= 0"),
        ("count", 1.0, "must be a whole number"),
        ("count", True, "must be a whole number"),
        ("maybe", 1.9, "must be >= 2"),
        ("share", 1.0, "must be >= 0 and < 1"),
        ("share", -0.1, "must be >= 0 and < 1"),
        ("part", 1.1, "must be between 0 and 1"),
        ("word", "c", "must be one of a, b"),
        ("word", 1, "must be text"),
        ("many", (1, 0), "must be numbers > 0"),
        ("many", (1, 1.5), "must be a whole number"),
        ("flag", 1, "must be true or false"),
    ],
)
def test_a_value_outside_its_fields_range_or_type_is_refused(name, value, message):
    with pytest.raises(FieldError, match=message) as caught:
        Everything(**{name: value})
    assert caught.value.key == name


def test_values_at_the_edges_of_a_range_are_taken_and_converted():
    e = Everything(number=1, maybe=2, share=0, part=1, word="b", many=[3, 4])
    assert (e.number, type(e.number)) == (1.0, float)
    assert e.many == (3, 4)
    assert (e.maybe, e.share, e.part, e.word) == (2.0, 0.0, 1.0, "b")
