"""The reasons for verdicts, as sentences in English and in Chinese with the same numbers."""

from __future__ import annotations

from collections.abc import Sequence

from dlexp.report import words

Sentence = dict[str, str]  # language → sentence


class NoVerdict(Exception):
    """There is no verdict, for this reason."""

    def __init__(self, code: str, **values: object) -> None:
        self.code, self.sentence = code, say(code, **values)
        super().__init__(self.sentence["en"])


def say(code: str, **values: object) -> Sentence:
    """A sentence in both languages. A value may be a sentence in both languages, or a list.

    >>> say("one_level", over="initializer.std")["en"]
    'initializer.std has fewer than two values that both sides have'
    """
    return {
        language: template.format(**{k: _in(language, v) for k, v in values.items()})
        for language, template in zip(("en", "zh"), TEMPLATES[code], strict=True)
    }


def _in(language: str, value: object) -> object:
    if isinstance(value, dict):
        return value[language]
    return listed([str(x) for x in value], language) if isinstance(value, (list, tuple)) else value


def listed(names: Sequence[str], language: str) -> str:
    """`a, b and c`, or `a、b、c`.

    >>> listed(["a", "b", "c"], "zh")
    'a、b、c'
    """
    return words.listed(names, 20) if language == "en" else "、".join(names)


def ended(sentence: str, language: str) -> str:
    """Adds a full stop, and a capital letter unless the sentence begins with a key or a symbol.

    >>> ended("did you mean 'x'?", "en"), ended("它成立", "zh"), ended("optimizer.lr differs", "en")
    ("Did you mean 'x'?", '它成立。', 'optimizer.lr differs.')
    """
    stop = {"en": ".", "zh": "。"}[language]
    first = sentence.partition(" ")[0].rstrip(",:;")
    shown = words.capital(sentence) if first.isalpha() and first != "p" else sentence
    return shown + stop * (not sentence.endswith(("?", "？")))


def hint(name: str) -> Sentence:
    """`; did you mean 'x'?`, or nothing."""
    return say("hint", name=name) if name else {"en": "", "zh": ""}


TEMPLATES = {
    # why there is no verdict
    "no_part": ("no run of part {part} has ended", "部分 {part} 没有已结束的运行"),
    "no_key": ("no run has a parameter {key}{hint}", "没有运行带有参数 {key}{hint}"),
    "no_value": (
        "no run has {key}={value}; the values are {known}{hint}",
        "没有 {key}={value} 的运行；已有的值是 {known}{hint}",
    ),
    "no_together": ("no run has {what} together", "没有同时满足 {what} 的运行"),
    "hint": ("; did you mean {name!r}?", "；是否想写 {name!r}？"),
    "shared": (
        "{n} runs are on both sides: `of` and `against` overlap",
        "有 {n} 个运行同时属于两侧：`of` 与 `against` 有重叠",
    ),
    "no_common": (
        "the two sides have no setting in common: they have other values of {keys}",
        "两侧没有共同的设置：{keys} 的取值不同",
    ),
    "one_level": (
        "{over} has fewer than two values that both sides have",
        "{over} 在两侧共有的取值不足两个",
    ),
    "unmeasured": ("no run has measured {name}{hint}", "没有运行测量过 {name}{hint}"),
    "unmeasured_side": (
        "no finished run with {side} has a value of {metric}",
        "{side} 的已完成运行都没有 {metric} 的值",
    ),
    "beyond": (
        "there is no {name} at {moment}: the run with {side}, seed {seed}, ends at step {end}",
        "没有 {moment} 时的 {name}：{side}、种子 {seed} 的运行在第 {end} 步结束",
    ),
    "no_seed": (
        "no seed has a result at every setting of both sides ({missing} results are missing)",
        "没有一个种子在两侧的所有设置上都有结果（缺少 {missing} 个结果）",
    ),
    "few": (
        (
            "n = {n} paired seeds: a verdict needs at least {fewest}; the smallest possible p"
            " would be {p}"
        ),
        "n = {n} 个配对种子：至少需要 {fewest} 个才能作出结论；现在 p 最小只能是 {p}",
    ),
    "seedless": (
        (
            "the seed changes nothing here: all runs of a setting measured the same numbers, and"
            " repeating them is no evidence"
        ),
        "种子在此不起任何作用：同一设置的每次运行测得的数字完全相同，重复并不构成证据",
    ),
    "all_diverged": ("every run of both sides diverged", "两侧的所有运行都发散了"),
    "diverged": (
        (
            "{n} of {total} runs diverged or have no finite value of {metric}, and the claim does"
            " not say what such a run counts as (`diverged`)"
        ),
        (
            "{total} 次运行中有 {n} 次发散或 {metric} 不是有限数，"
            "而论断没有说明这样的运行按什么值计（`diverged`）"
        ),
    ),
    "not_finite": ("the values are too large to be compared", "数值过大，无法比较"),
    "guard": (
        ("the guard does not hold: {metric} is {value} at a setting of {side}; required: {bound}"),
        "前提条件不成立：{side} 的某个设置下 {metric} 为 {value}，而要求 {bound}",
    ),
    "guard_unmeasured": (
        "the guard cannot be checked: {metric} was not measured",
        "无法检查前提条件：没有测量 {metric}",
    ),
    "no_validation": (
        "there is no validation metric to choose {keys} by",
        "没有可用来选择 {keys} 的验证指标",
    ),
    "few_tuning": (
        "{need} seeds are needed to choose {keys}, and others to judge; there are {n}",
        "选择 {keys} 需要 {need} 个种子，另需其他种子来评判；现有 {n} 个",
    ),
    "tuning_missing": (
        "no setting of {keys} has a result at every tuning seed ({seeds}) with {side}",
        "{side}：{keys} 没有一个取值在所有调参种子（{seeds}）上都有结果",
    ),
    # verdicts
    "supported": (
        "the effect, {effect}, is at least the margin, {margin}, and p = {p} after Holm",
        "效应 {effect} 不小于界限 {margin}，且 Holm 校正后 p = {p}",
    ),
    "as_good": (
        (
            "it is not worse by more than the margin, {margin}: the effect is {effect}, p = {p}"
            " after Holm"
        ),
        "不比对方差超过界限 {margin}：效应为 {effect}，Holm 校正后 p = {p}",
    ),
    "worse": (
        (
            "it is worse by more than the margin, {margin}: the whole interval {interval} lies"
            " below −{margin}"
        ),
        "比对方差，且超过界限 {margin}：整个区间 {interval} 低于 −{margin}",
    ),
    "opposite": (
        "the effect goes the other way: the whole interval {interval} lies below 0",
        "效应的方向相反：整个区间 {interval} 低于 0",
    ),
    "small": (
        (
            "there is an effect, but it is too small to matter: the whole interval {interval} lies"
            " below the margin, {margin}"
        ),
        "效应存在，但小于有意义的大小：整个区间 {interval} 低于界限 {margin}",
    ),
    "none": (
        "the whole interval {interval} lies below the margin, {margin}, and it holds 0",
        "整个区间 {interval} 低于界限 {margin}，且包含 0",
    ),
    "open": (
        (
            "p = {p} after Holm is above .05, and the interval {interval} reaches the margin,"
            " {margin}: the effect may matter or not"
        ),
        "Holm 校正后 p = {p} 大于 .05，而区间 {interval} 达到界限 {margin}：可能有意义，也可能没有",
    ),
    "open_size": (
        (
            "there is an effect (p = {p} after Holm), {effect}, below the margin, {margin}, which"
            " the interval {interval} reaches"
        ),
        (
            "存在效应（Holm 校正后 p = {p}），为 {effect}，"
            "小于界限 {margin}，而区间 {interval} 达到该界限"
        ),
    ),
    "open_as_good": (
        (
            "p = {p} after Holm is above .05, and the interval {interval} is not wholly below"
            " −{margin}"
        ),
        "Holm 校正后 p = {p} 大于 .05，而区间 {interval} 并非全部低于 −{margin}",
    ),
    # cautions
    "alike": (
        (
            "every seed gives the same difference: more seeds add no evidence, and in effect n is"
            " 1, not {n}"
        ),
        "每个种子给出的差都相同：增加种子并不增加证据，实际上 n 为 1，而不是 {n}",
    ),
    "outside": (
        (
            "the guard holds for the mean only: {n} of {total} runs with {side} violate {metric}"
            " {bound}"
        ),
        "前提条件只对均值成立：{side} 的 {total} 次运行中有 {n} 次不满足 {metric} {bound}",
    ),
    "preview": ("preview: {changes}", "预览：{changes}"),
    "preview_same": (
        "preview: the smaller budget does not change the settings of this claim",
        "预览：较小的预算没有改变此论断的设置",
    ),
    "changed": ("differs from the study's file: {changes}", "与研究文件所写不同：{changes}"),
    # notes
    "left_out": (
        "{n} seeds lack a result at some setting and are left out ({missing} results missing)",
        "{n} 个种子在某些设置上缺少结果，未计入（缺少 {missing} 个结果）",
    ),
    "lost": (
        "{n} runs died before they recorded their parameters",
        "{n} 次运行在写下参数之前就中断了",
    ),
    "repeated": (
        "{n} runs repeat another's values and seed; the latest counts",
        "{n} 次运行的参数和种子与其他运行相同，以最新一次为准",
    ),
    "worst_value": (
        "{of} of the runs of one side and {against} of the other diverged and count as {value}",
        "一侧有 {of} 次、另一侧有 {against} 次运行发散，按 {value} 计",
    ),
    "beside": (
        "{key} differs as well ({of} against {against}); the effects cannot be separated",
        "{key} 也不同（{of} 对 {against}），两者的影响无法区分",
    ),
    "own": (
        "{side}: averaged over its {keys}, which the other side does not have",
        "{side}：对其 {keys} 取平均（另一侧没有该项）",
    ),
    "uncommon": (
        "{n} settings that only one side has are left out",
        "有 {n} 个设置只有一侧具备，未计入",
    ),
    "budget": (
        "unequal tuning budgets, in settings tried: {of} against {against}",
        "调参预算不同：试过的取值 {of} 个对 {against} 个",
    ),
    "untried": (
        "{side}: {n} settings of {keys} lack results at tuning seeds and could not be chosen",
        "{side}：{keys} 有 {n} 个取值在调参种子上缺少结果，未能参选",
    ),
    "edge": (
        "{side}: {key}={value} is the {which} value tried; a value beyond it may be better",
        "{side}：{key}={value} 是试过的{which}值；更外侧的值可能更好",
    ),
    "smallest": ("smallest", "最小"),
    "largest": ("largest", "最大"),
    "power": (
        (
            "with n = {n} and {family} claims tested, the smallest p after Holm is {p}, above .05,"
            " unless other claims have smaller ones; {need} seeds could decide"
        ),
        (
            "n = {n}、共检验 {family} 条论断时，Holm 校正后的最小 p 为 {p}，"
            "大于 .05（除非其他论断的 p 更小）；{need} 个种子才可能得出结论"
        ),
    ),
}
