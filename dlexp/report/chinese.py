"""The fixed sentences of a report in Chinese: table headers, captions, methods.

A sentence that is not here stays in English; figures are in English everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from dlexp.report.blocks import Block, Facts, Grid, Heading, Shown, Words

PHRASES = {
    "group": "组",
    "95 % interval": "95 % 区间",
    "median": "中位数",
    "diverged": "发散",
    "seeds": "种子",
    "status": "状态",
    "what was said (first)": "所报告的内容（首条）",
    "folders": "文件夹",
    "method": "方法",
    "tried": "试过",
    "values": "取值",
    "default": "默认值",
    "best {key}": "最佳 {key}",
    "n = {n} seeds per group": "每组 n = {n} 个种子",
    "n = {n} seeds": "n = {n} 个种子",
    # headings and terms
    "Runs that did not finish": "未完成的运行",
    "Group": "组",
    "Value of a run: {metric}": "一次运行的值：{metric}",
    "Interquartile mean (IQM)": "四分位均值（IQM）",
    "Interval of IQM, median, P(improvement)": "IQM、中位数与 P(improvement) 的区间",
    "Diverged": "发散",
    "Effect of a claim": "论断的效应",
    "Interval of a difference": "差的区间",
    "p Holm, verdict": "p（Holm）与结论",
}
SENTENCES = {
    "None: every run finished.": "没有：每次运行都已完成。",
    "IQM: interquartile mean of {metric} over n seeds; intervals: 95 % percentile bootstrap ({k} resamples); of the share that diverged: Wilson.": (
        "IQM：{metric} 在 n 个种子上的四分位均值；区间：95 % 百分位自助法（{k}"
        " 次重抽样）；发散比例的区间：Wilson。"
    ),
    "Sorted by IQM; the order alone is not evidence: what is claimed was tested, and stands above.": (
        "按 IQM 排序；次序本身不是证据：论断的检验见上文。"
    ),
    "DIVERGED is a result, the worst there is; everything else is a missing result.": (
        "DIVERGED 是一种结果，而且是最差的；其余状态为缺失的结果。"
    ),
    "Chosen by the interquartile mean of {metric} over seeds {seeds}; ties go to the lower validation loss, then to the value listed first.": (
        "按 {metric} 在种子 {seeds} 上的四分位均值选择；相同时取验证损失较低者，再取先列出者。"
    ),
    "{n} runs diverged and counted as {metric} = 0, the worst there is.": (
        "{n} 次运行发散，按最差的 {metric} = 0 计。"
    ),
    "n = {n} paired seeds: no verdict below {fewest}, since with {m} the smallest possible two-sided p is {p}.": (
        "n = {n} 个配对种子：少于 {fewest} 个不作结论，因为 {m} 个时可能的最小双侧 p 为 {p}。"
    ),
    "Add seeds: the same command with {seeds}.": "增加种子：同一命令加上 {seeds}。",
    "No test and no correction in this figure.": "本图不含检验与校正。",
    "{metric} while training.": "训练过程中的 {metric}。",
    "Line: interquartile mean over seeds at each point; band: its 95 % percentile bootstrap interval ({k} resamples, each point on its own); {n}.": (
        "线：每一点上各种子的四分位均值；带：其 95 % 百分位自助法区间（{k} 次重抽样，逐点计算）；{n}。"
    ),
    "After a run diverged it counts as worst; after it stopped early it keeps its last value.": (
        "运行发散之后按最差计；提前停止之后保持其最后的值。"
    ),
    "After a run diverged it counts as worst.": "运行发散之后按最差计。",
    "Mark: interquartile mean; line: 95 % percentile bootstrap interval ({k} resamples); {n}.": (
        "标记：四分位均值；线：95 % 百分位自助法区间（{k} 次重抽样）；{n}。"
    ),
    "A cross at the edge where worse lies: the middle runs diverged.": (
        "较差一侧边缘的叉号：居中的运行发散了。"
    ),
    "Solid: training; dashed: validation; interquartile mean over seeds, band: its 95 % percentile bootstrap interval ({k} resamples, each point on its own); diamond: test, at the end, and its interval; {n}.": (
        "实线：训练；虚线：验证；各种子的四分位均值，带：其 95 % 百分位自助法区间（{k} 次重抽样，"
        "逐点计算）；菱形：结束"
        "时的测试值及其区间；{n}。"
    ),
    "Gap: final training value less test value (of the loss: test less training), interquartile mean and interval over seeds.": (
        "gap：最终的训练值减测试值（损失则为测试减训练），各种子的四分位均值与区间。"
    ),
    "Look at the training curve beside it: a gap also shrinks when a network learns less.": (
        "请同时看旁边的训练曲线：网络学得少时，差距也会缩小。"
    ),
    "Bars: the values of all samples and units of the first seed, each panel up to its own highest bar; std: their standard deviation; every number is the mean over {n}.": (
        "柱：第一个种子的所有样本与单元的值，每格以其最高的柱为准；std：其标准差；每个数字都是 {n}"
        " 的均值。"
    ),
    "Exact zeros of an unbounded activation are counted, not drawn.": (
        "无界激活函数的精确零值只计数，不画出。"
    ),
    "Across samples: the standard deviation of a unit over the samples, averaged over the units; near 0 the layer says the same whatever the input.": (
        "across samples：每个单元在样本之间的标准差，对单元取平均；接近 0 时，无论输入如何，"
        "该层都给出相同的值。"
    ),
    "Saturated: the slope is below {share} of its largest.": (
        "saturated：斜率低于其最大值的 {share}。"
    ),
    "Sizes on a logarithmic axis that all panels share; exact zeros are counted, not drawn.": (
        "大小在各格共用的对数轴上；精确零值只计数，不画出。"
    ),
    "The gradient of {name} does not point at the minimum.": "{name} 的梯度并不指向最小值。",
    "Grey: −∇f on a grid, longer where it is larger, levelling off; blue: its direction at a few points; dashed: the way from there to the minimum (star).": (
        "灰色：网格上的 −∇f，越大越长，"
        "但趋于饱和；蓝色：若干点上的方向；虚线：从该点到最小值（星号）的方向。"
    ),
    "Angle between the two: median {a}, largest {b} over the {n} points of the grid; 0° would point at it.": (
        "二者的夹角：网格的 {n} 个点上中位数 {a}，最大 {b}；0° 表示正指向最小值。"
    ),
    "Bands: equal heights f(x, y).": "色带：f(x, y) 的等高带。",
    "No test: nothing here is a matter of chance.": "没有检验：这里没有随机性。",
    "Paths on {name}.": "{name} 上的路径。",
    "Red: the path, its start (ring) and end (square); star: the minimum {at}; grey arrows: −∇f, longer where it is larger, levelling off; bands: equal heights f(x, y), the same in all panels.": (
        "红色：路径及其起点（圆圈）与终点（方块）；星号：最小值 {at}；灰色箭头：−∇f，越大越长，"
        "但趋于饱和；色带：f(x, y"
        ") 的等高带，各格相同。"
    ),
    "The first seed of each group.": "每组的第一个种子。",
    "No test: a path on a surface is no matter of chance.": "没有检验：曲面上的路径没有随机性。",
    "One frame per step, the last one held.": "每步一帧，最后一帧停留。",
    "The runs that differ in nothing but their seed.": "只有种子不同的运行。",
    "The seed draws the data split, the initial weights, the order of the batches and the noise, the same for every group.": (
        "种子决定数据划分、初始权重、批次顺序与噪声，对每一组都相同。"
    ),
    "The last measurement, with early stopping that of the weights that were kept.": (
        "最后一次测量；使用提前停止时，为所保留权重的测量。"
    ),
    "A run that diverged counts as 0, the worst accuracy there is.": (
        "发散的运行按 0 计，即最差的准确率。"
    ),
    "A run that diverged counts as infinite.": "发散的运行按无穷大计。",
    "A run that failed, was killed or is gone is missing: it is listed and counted, never replaced.": (
        "失败、被终止或丢失的运行为缺失：列出并计数，从不替换。"
    ),
    "The mean of the values that are left when ⌊n/4⌋ are cut off at each end: {m} of {n}.": (
        "两端各去掉 ⌊n/4⌋ 个值后其余值的均值：{n} 中的 {m} 个。"
    ),
    "95 % percentile bootstrap over seeds, {k} resamples ({l} in the bands of curves) from a generator with a fixed seed.": (
        "对种子作 95 % 百分位自助法，{k} 次重抽样（曲线的带为 {l} 次），随机数生成器的种子固定。"
    ),
    "Below 10 seeds it tends to be too narrow.": "种子少于 10 个时，区间往往偏窄。",
    "Diverged runs of those with a result; 95 % Wilson interval.": (
        "有结果的运行中发散的次数；95 % Wilson 区间。"
    ),
    "For each seed the difference d of the two sides, positive in the direction of the claim; a side's value is its mean over the settings that both sides have.": (
        "对每个种子取两侧之差 d，与论断方向一致者为正；一侧的值是其在两侧共有的设置上的均值。"
    ),
    "The effect is the mean of d over seeds.": "效应是 d 在各种子上的均值。",
    "A diverged run counts as the claim says, else as accuracy 0; without a value that is certain there is no verdict.": (
        "发散的运行按论断所说的值计，否则按准确率 0 计；没有确定的值就没有结论。"
    ),
    "Two-sided sign-flip test of the mean of d: if the two are equal, each d could as well have had the other sign; p is the share of the 2ⁿ sign patterns (above {n} seeds, of {k} random ones) whose mean is at least as far from 0.": (
        "对 d 的均值作双侧符号翻转检验：若两者相等，每个 d 的符号也可能相反；p 是 2ⁿ"
        " 种符号组合（种子多于 {n} 个时为 {k"
        "} 种随机组合）中均值离 0 至少同样远者所占的比例。"
    ),
    "The smallest possible p is 2/2ⁿ, so there is no verdict below {n} seeds.": (
        "可能的最小 p 为 2/2ⁿ，因此种子少于 {n} 个时不作结论。"
    ),
    "Of a claim to be as good: one-sided, against a loss of the margin.": (
        "“一样好”的论断：单侧，原假设为差出整个界限。"
    ),
    "All shifts that the same test does not refuse at 5 %: quantiles of the means of all subsets of d.": (
        "同一检验在 5 % 水平上不拒绝的所有平移：d 的所有子集均值的分位数。"
    ),
    "Each interval is for its comparison alone, not corrected for their number.": (
        "每个区间只针对其自身的比较，未对比较的数目作校正。"
    ),
    "Holm's correction over the claims of the study that could be tested.": (
        "对本研究中可检验的论断作 Holm 校正。"
    ),
    "SUPPORTED: p Holm ≤ .05 and an effect of at least the margin (as good: of more than −margin).": (
        "SUPPORTED（成立）：p（Holm）≤ .05 且效应不小于界限（“一样好”：大于 −界限）。"
    ),
    "NOT SUPPORTED: the whole interval lies below the margin (as good: below −margin).": (
        "NOT SUPPORTED（不成立）：整个区间低于界限（“一样好”：低于 −界限）。"
    ),
    "INCONCLUSIVE is everything else, which does not mean equal.": (
        "INCONCLUSIVE（未定）是其余情形，并不意味着相等。"
    ),
    "Mean of d over its standard deviation.": "d 的均值除以其标准差。",
    "Chance that a run of the first beats a run of the second on whatever seeds, ties half.": (
        "前者的一次运行胜过后者的一次运行的概率（种子任意，平局算一半）。"
    ),
    "Where every seed of one beats every seed of the other the bootstrap says [1, 1]; that is the limit of what it can see, not certainty.": (
        "若一方的每个种子都胜过另一方的每个种子，自助法给出 [1, 1]；这是它所能看到的极限，并非必然。"
    ),
}


def block(b: Block) -> Block:
    """A block with its fixed words in Chinese."""
    match b:
        case Heading(text, anchor):
            return Heading(phrase(text), anchor or text)
        case Words(text):
            return replace(b, text=sentences(text))
        case Grid():
            return replace(b, header=[phrase(h) for h in b.header], caption=sentences(b.caption))
        case Facts(items):
            return Facts([(phrase(term), sentences(text), source) for term, text, source in items])
        case Shown(picture):
            return Shown(replace(picture, caption=sentences(picture.caption)))
        case _:
            return b


def phrase(text: str) -> str:
    """A term or the head of a column.

    >>> phrase("best optimizer.lr"), phrase("test/accuracy")
    ('最佳 optimizer.lr', 'test/accuracy')
    """
    return _said(text, _patterns(PHRASES)) or text


def sentences(text: str) -> str:
    """A text sentence by sentence.

    >>> sentences("Of mine. No test and no correction in this figure. Bands: equal heights f(x, y).")
    'Of mine. 本图不含检验与校正。色带：f(x, y) 的等高带。'
    """
    found = ""
    for one in re.split(r"(?<=[.!?]) (?=\S)", text):
        told = _said(one, _patterns(SENTENCES), phrase) or one
        found += told if not found or (found.endswith("。") and told.endswith("。")) else f" {told}"
    return found


Patterns = tuple[tuple[re.Pattern[str], str], ...]


def _patterns(table: dict[str, str]) -> Patterns:
    return _compiled(tuple(table.items()))


@cache
def _compiled(table: tuple[tuple[str, str], ...]) -> Patterns:
    return tuple(
        (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(said))), told)
        for said, told in table
    )


def _said(text: str, patterns: Patterns, inside: Callable[[str], str] = str) -> str:
    for pattern, told in patterns:
        if match := pattern.fullmatch(text):
            return told.format(**{name: inside(value) for name, value in match.groupdict().items()})
    return ""
