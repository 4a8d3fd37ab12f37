"""No message is in OmegaConf's words, whichever way a value comes into a configuration."""

import re

import pytest

from dlexp import Optimizer, UserError, plugin
from dlexp.config import compose_run, store
from dlexp.core import registry
from dlexp.plugins import discovery
from dlexp.runs import lifecycle, records

INTERNAL = re.compile(
    r"full_key|object_type|reference_type|omegaconf|DictConfig|ListConfig|AnyNode|NodeValue|of type"
    r" '|<class|NoneType"
    r"|nterpolation",
    re.IGNORECASE,
)
TYPED = [
    "optimizer.lr={a:1}",
    "optimizer.lr=${nope}",
    "optimizer.lr=${optimizer}",
    "model.hidden=[null]",
    "model.hidden=x",
    "model.hidden=[${nope}]",
    "early_stopping.patience=[1]",
    "early_stopping={a:1}",
    "++seed.x=1",
    "dtype=[a]",
    "checkpoint.seconds={a:1}",
    "tracking.wait=[1]",
    "seed={a:1}",
    "clip_norm=[1]",
    "++optimizer.lr.x=1",
    "sweep={a:1}",
    "quick=[1]",
]


@pytest.mark.parametrize("words", TYPED)
def test_what_is_typed_is_refused_in_our_words(words):
    with pytest.raises(UserError) as caught:
        compose_run(words)
    assert not INTERNAL.search(str(caught.value)), caught.value
    assert "\n" not in str(caught.value)


FIELDS = {
    "a_class": ("bytearray | None", None),
    "a_set": ("set[int]", frozenset({1})),
    "wrong_value": ("float", "word"),
    "wrong_number": ("int", 1.5),
    "wrong_item": ("tuple[int, ...]", ("a",)),
    "no_list": ("tuple[int, ...]", 3),
    "no_null": ("int", None),
    "a_function": ("float", len),
    "a_module": ("float", re),
    "a_range": ("range", range(3)),
    "a_name": ("float", "${nope}"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_plugin_whose_field_no_configuration_can_hold_is_left_out_in_our_words(name, caplog):
    annotation, default = FIELDS[name]
    body = {
        "__annotations__": {"lr": float, "odd": annotation},
        "lr": 0.1,
        "odd": default,
        "__doc__": "w ← w",
        "update": lambda *_: None,
        "__module__": __name__,
    }
    cls = plugin(f"odd_{name}")(type("Odd", (Optimizer,), body))
    try:
        store.register()
        message = discovery.broken("optimizer", f"odd_{name}")
        if name != "a_name":
            assert message is not None
            assert "odd" in str(message)
        assert not INTERNAL.search(f"{message} {caplog.text.replace('tests/test_wording', '')}"), (
            message
        )
        assert caplog.text.count("\n") <= 1
    finally:
        discovery._broken.pop(("optimizer", f"odd_{name}"), None)
        if cls in registry.every("optimizer"):
            registry.unregister(cls)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLEXP_OUTPUTS", str(outputs))
        yield lifecycle.run_overrides(
            ("epochs=0", "data=blobs", "observer=none", "tracking=none")
        ).folder


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 0", "seed: {a: 1}"),
        ("seed: 0", "seed: [1]"),
        ("seed: 0", "nope: 0"),
        ("lr: 0.001", "lr: {a: 1}"),
        ("lr: 0.001", "lr: word"),
        ("lr: 0.001", "rate: 1"),
        ("patience: null", "patience: [1]"),
        ("patience: null", "patient: 1"),
        ("dtype: float32", "dtype: null"),
        ("epochs: 0", "epochs: ${nope}"),
        ("seconds: 10", "second: 10"),
        ("seed: 0", "seed: null"),
        ("name: adam", "name: [adam]"),
    ],
)
def test_what_was_edited_in_the_configuration_of_a_run_is_refused_in_our_words(
    old, new, run, tmp_path
):
    text = (run / "config.yaml").read_text()
    assert re.search(rf"(?m)^\s*{re.escape(old)}", text), old
    for name in ("run.json", "journal.jsonl"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "config.yaml").write_text(
        re.sub(rf"(?m)^(\s*){re.escape(old)}", rf"\g<1>{new}", text, count=1)
    )
    with pytest.raises(UserError) as caught:
        records.read(tmp_path)
    assert not INTERNAL.search(str(caught.value)), caught.value
    assert "\n" not in str(caught.value)
