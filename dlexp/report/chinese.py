"""The fixed sentences of a report in Chinese: table headers, captions, methods.

A sentence that is not here stays in English; figures are in English everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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
    "error (first)": "错误信息（首条）",
    "folders": "文件夹",
    "method": "方法",
    "tried": "试过的个数",
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
# an English sentence, then "→" and the Chinese one; {names} stand for what varies
SENTENCES = """
None: every run finished.
→ 没有：每次运行都已完成。
IQM: interquartile mean of {metric} over n seeds; intervals: 95 % percentile bootstrap ({k}
resamples); of the share that diverged: Wilson.
→ IQM：{metric} 在 n 个种子上的四分位均值；区间：95 % 百分位自助法（{k} 次重抽样）；
  发散比例的区间：Wilson。
Sorted by IQM; the order alone is not evidence: the claims were tested, see above.
→ 按 IQM 排序；次序本身不是证据：论断的检验见上文。
DIVERGED is a result and counts as the worst; any other status is a missing result.
→ DIVERGED（发散）也是结果，按最差计；其余状态均为缺少结果。
Chosen by the interquartile mean of {metric} over seeds {seeds}; ties go to the lower validation
loss, then to the value listed first.
→ 按 {metric} 在种子 {seeds} 上的四分位均值选择；相同时取验证损失较低者，再取先列出者。
{n} runs diverged and count as {metric} = 0, the worst value.
→ {n} 次运行发散，按最差的 {metric} = 0 计。
n = {n} paired seeds: a verdict needs at least {fewest}; with {m} the smallest possible two-sided
p is {p}.
→ n = {n} 个配对种子：至少需要 {fewest} 个才能作出结论；只有 {m} 个时，双侧 p 最小只能是 {p}。
Add seeds: the same command with {seeds}.
→ 增加种子：同一命令加上 {seeds}。
No test and no correction in this figure.
→ 本图不含检验与校正。
{metric} while training.
→ 训练过程中的 {metric}。
Line: interquartile mean over seeds at each point; band: its 95 % percentile bootstrap interval
({k} resamples, each point on its own); {n}.
→ 线：每一点上各种子的四分位均值；带：其 95 % 百分位自助法区间（{k} 次重抽样，逐点计算）；{n}。
A diverged run counts as worst from then on; a run that stopped early keeps its last value.
→ 运行发散后按最差值计；提前停止的运行保持最后一个值。
A diverged run counts as worst from then on.
→ 运行发散后按最差值计。
Mark: interquartile mean; line: 95 % percentile bootstrap interval ({k} resamples); {n}.
→ 标记：四分位均值；线：95 % 百分位自助法区间（{k} 次重抽样）；{n}。
A cross at the edge: the middle runs diverged.
→ 边缘的叉号：居中的运行发散了。
Solid: training; dashed: validation; interquartile mean over seeds, band: its 95 % percentile
bootstrap interval ({k} resamples, each point on its own); diamond: test, at the end, and its
interval; {n}.
→ 实线：训练；虚线：验证；各种子的四分位均值，带：其 95 % 百分位自助法区间（{k} 次重抽样，
  逐点计算）；菱形：结束时的测试值及其区间；{n}。
Gap: final training value minus test value (for the loss: test minus training), interquartile mean
and interval over seeds.
→ gap：最终的训练值减测试值（损失则为测试减训练），各种子的四分位均值与区间。
Compare the training curve: a gap also shrinks when a network learns less.
→ 请对照旁边的训练曲线：网络学得少时，差距也会缩小。
Bars: the values of all samples and units of the first seed, each panel scaled to its highest bar;
std: their standard deviation; every number is the mean over {n}.
→ 柱：第一个种子的所有样本与单元的值，每格按其最高的柱缩放；std：其标准差；
  每个数字都是 {n} 的均值。
Exact zeros of an unbounded activation are counted, not drawn.
→ 无界激活函数的精确零值只计数，不画出。
Across samples: the standard deviation of a unit over the samples, averaged over the units; near 0
the output of the layer hardly depends on the input.
→ across samples：每个单元在样本间的标准差，再对单元取平均；接近 0 时，
  该层的输出几乎不随输入变化。
Saturated: the slope is below {share} of its largest.
→ saturated：斜率低于其最大值的 {share}。
Sizes on one logarithmic axis for all panels; exact zeros are counted, not drawn.
→ 大小画在各格共用的对数轴上；精确零值只计数，不画出。
The gradient of {name} does not point at the minimum.
→ {name} 的梯度并不指向最小值。
Grey: −∇f on a grid, longer where it is larger, levelling off; blue: its direction at a few
points; dashed: the direction from there to the minimum (star).
→ 灰色：网格上的 −∇f，越大越长，但趋于饱和；蓝色：若干点上的方向；虚线：从该点到最小值（星号）
  的方向。
Angle between the two: median {a}, largest {b} over the {n} points of the grid; 0° would point at
it.
→ 二者的夹角：网格的 {n} 个点上中位数 {a}，最大 {b}；0° 表示正指向最小值。
Bands: equal heights f(x, y).
→ 色带：f(x, y) 的等高带。
No test: nothing here is random.
→ 没有检验：这里没有随机性。
Paths on {name}.
→ {name} 上的路径。
Red: the path, its start (ring) and end (square); star: the minimum {at}; grey arrows: −∇f, longer
where it is larger, levelling off; bands: equal heights f(x, y), the same in all panels.
→ 红色：路径及其起点（圆圈）与终点（方块）；星号：最小值 {at}；灰色箭头：−∇f，越大越长，
  但趋于饱和；色带：f(x, y) 的等高带，各格相同。
The first seed of each group.
→ 每组的第一个种子。
No test: a path on a surface is not random.
→ 没有检验：曲面上的路径没有随机性。
One frame per step, the last one held.
→ 每步一帧，最后一帧停留。
The runs that differ only in their seed.
→ 只有种子不同的运行。
The seed draws the data split, the initial weights, the order of the batches and the noise, the
same for every group.
→ 种子决定数据划分、初始权重、批次顺序与噪声，对每一组都相同。
The last measurement; with early stopping, that of the weights kept.
→ 最后一次测量；使用提前停止时，为所保留权重的测量值。
A run that diverged counts as 0, the worst accuracy.
→ 发散的运行按 0 计，即最差的准确率。
A run that diverged counts as infinite.
→ 发散的运行按无穷大计。
A run that failed, was killed or is lost has no result: it is listed and counted, never replaced.
→ 失败、被终止或丢失的运行没有结果：列出并计数，从不替换。
The mean of the values without the ⌊n/4⌋ smallest and largest: {m} of {n}.
→ 去掉最小和最大的各 ⌊n/4⌋ 个值后其余值的均值：{n} 中的 {m} 个。
95 % percentile bootstrap over seeds, {k} resamples ({l} in the bands of curves) from a generator
with a fixed seed.
→ 对种子作 95 % 百分位自助法，{k} 次重抽样（曲线的带为 {l} 次），随机数生成器的种子固定。
Below 10 seeds it tends to be too narrow.
→ 种子少于 10 个时，区间往往偏窄。
Diverged runs of those with a result; 95 % Wilson interval.
→ 有结果的运行中发散的次数；95 % Wilson 区间。
For each seed the difference d between the two sides, positive in the direction of the claim; a
side's value is its mean over the settings that both sides have.
→ 对每个种子取两侧之差 d，与论断方向一致者为正；一侧的值是其在两侧共有的设置上的均值。
The effect is the mean of d over seeds.
→ 效应是 d 在各种子上的均值。
A diverged run counts as the claim's value for it, by default as accuracy 0; without such a value
there is no verdict.
→ 发散的运行按论断指定的值计，默认按准确率 0 计；没有这样的值就不作结论。
Two-sided sign-flip test of the mean of d: if both sides are equal, each d is as likely to have
the other sign; p is the share of the 2ⁿ sign patterns (above {n} seeds, of {k} random ones) whose
mean is at least as far from 0.
→ 对 d 的均值作双侧符号翻转检验：若两者相等，每个 d 的符号也可能相反；
  p 是 2ⁿ 种符号组合（种子多于 {n} 个时为 {k} 种随机组合）中均值离 0 至少同样远者所占的比例。
The smallest possible p is 2/2ⁿ, so there is no verdict below {n} seeds.
→ 可能的最小 p 为 2/2ⁿ，因此种子少于 {n} 个时不作结论。
For a claim “as good”: one-sided; the null hypothesis is a loss of the margin.
→ “一样好”的论断：单侧检验，原假设为恰好差一个界限。
All shifts that the same test does not reject at 5 %: quantiles of the means of all subsets of d.
→ 同一检验在 5 % 水平上不拒绝的所有平移：d 的所有子集均值的分位数。
Each interval is for its comparison alone, not corrected for their number.
→ 每个区间只针对其自身的比较，未对比较的数目作校正。
Holm's correction over the claims of the study that could be tested.
→ 对本研究中可检验的论断作 Holm 校正。
SUPPORTED: p Holm ≤ .05 and an effect of at least the margin (as good: of more than −margin).
→ SUPPORTED（成立）：p（Holm）≤ .05 且效应不小于界限（“一样好”：大于 −界限）。
NOT SUPPORTED: the whole interval lies below the margin (as good: below −margin).
→ NOT SUPPORTED（不成立）：整个区间低于界限（“一样好”：低于 −界限）。
INCONCLUSIVE: all other cases; it does not mean equal.
→ INCONCLUSIVE（未定）是其余情形，并不意味着相等。
Mean of d over its standard deviation.
→ d 的均值除以其标准差。
Probability that a run of the first beats a run of the second, whatever their seeds; ties count
half.
→ 前者的一次运行胜过后者的一次运行的概率（种子任意，平局算一半）。
If every seed of one beats every seed of the other, the bootstrap gives [1, 1]; this is a limit of
the method, not certainty.
→ 若一方的每个种子都胜过另一方的每个种子，自助法给出 [1, 1]；这是该方法的局限，并不表示必然。
"""


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
    return _translated(text, _phrases()) or text


def sentences(text: str) -> str:
    """A text sentence by sentence.

    >>> sentences("Mine. No test and no correction in this figure. Bands: equal heights f(x, y).")
    'Mine. 本图不含检验与校正。色带：f(x, y) 的等高带。'
    """
    result = ""
    for sentence in re.split(r"(?<=[.!?]) (?=\S)", text):
        shown = _translated(sentence, _sentences(), phrase) or sentence
        joined = not result or (result.endswith("。") and shown.endswith("。"))
        result += shown if joined else f" {shown}"
    return result


Patterns = tuple[tuple[re.Pattern[str], str], ...]


@cache
def _phrases() -> Patterns:
    return _compiled(PHRASES.items())


@cache
def _sentences() -> Patterns:
    pairs = re.findall(r"^(\S.*?)\n→ (.*?)$(?!\n )", SENTENCES, re.MULTILINE | re.DOTALL)
    return _compiled((" ".join(en.split()), re.sub(r"\n\s+", "", zh)) for en, zh in pairs)


def _compiled(pairs: Iterable[tuple[str, str]]) -> Patterns:
    return tuple(
        (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(english))), chinese)
        for english, chinese in pairs
    )


def _translated(text: str, patterns: Patterns, inner: Callable[[str], str] = str) -> str:
    for pattern, chinese in patterns:
        if match := pattern.fullmatch(text):
            return chinese.format(**{k: inner(value) for k, value in match.groupdict().items()})
    return ""
