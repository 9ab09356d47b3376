"""Findings on D in sentences: every word of a verdict follows from an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ndr.records.representation import (
    LEVELS,
    PLAIN,
    TRAINED,
    UNTRAINED,
    Measured,
    RepresentationFile,
)
from reports.analysis.representation_intervals import difference, interval_of
from reports.number_format import MINUS, MISSING

FALLS = 0.5
"""D settles where its change falls to less than this part, whichever way the rate is taken out."""
MOST, FEW = 0.75, 0.25
"""Parts of the N vectors above and below which the use is called by a word."""
UNLIKE = 0.1
"""Part by which a mean cosine differs from that of random matrices before it is called another."""

TOO_FEW = "undecided: too few pictures"


def percent(value: float) -> str:
    """A share in per cent.

    >>> percent(0.734)
    '73 %'
    """
    return f"{100 * value:.0f} %"


def decibel(value: float) -> str:
    """A PSNR.

    >>> decibel(22.134)
    '22.13 dB'
    """
    return f"{value:.2f} dB"


def plain(value: float) -> str:
    """A number with two decimals and a real minus sign.

    >>> plain(-0.128)
    '−0.13'
    """
    text = f"{value:.2f}"
    return (MINUS + text[1:] if text.startswith("-") else text).replace(f"{MINUS}0.00", "0.00")


def vectors(value: float) -> str:
    """A number of vectors.

    >>> vectors(17.04)
    '17.0'
    """
    return f"{value:.1f}"


def cosine(value: float) -> str:
    """A mean cosine.

    >>> cosine(0.0714)
    '0.071'
    """
    return f"{value:.3f}"


def shown(number: Measured, form: Callable[[float], str]) -> str:
    """A number, or a dash."""
    return MISSING if number.value is None else form(number.value)


def interval_text(number: Measured, form: Callable[[float], str]) -> str:
    """The ends of the 95 % interval; empty where there is none."""
    interval = interval_of(number)
    return "" if interval is None else f"{form(interval.low)} to {form(interval.high)}"


def settling(file: RepresentationFile) -> tuple[float, float, float] | str:
    """How many times as large the change of D becomes from the first kept interval to the last.

    Per step; divided by the learning rate; against a random walk. Or why that is not known.
    """
    if len(file.settling) < 2:
        return "fewer than three snapshots of D were kept"
    first, last = file.settling[0], file.settling[-1]
    if not (first.change_per_step and first.scaled and first.walk):
        return "D did not change at the start of the training"
    return (
        last.change_per_step / first.change_per_step,
        last.scaled / first.scaled,
        last.walk / first.walk,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """A question with its answer in one word or few, and the numbers it follows from."""

    question: str
    verdict: str
    text: str


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def _with_interval(number: Measured, form: Callable[[float], str]) -> str:
    ends = interval_text(number, form)
    return shown(number, form) + (f" ({ends})" if ends else "")


def _separability(file: RepresentationFile, task: str) -> Finding:
    question = f"Does S name the degradation ({task})?"
    trained = file.accuracy[task, TRAINED, "all"]
    untrained, statistics = (
        file.accuracy[task, UNTRAINED, "all"],
        file.accuracy[task, PLAIN, "none"],
    )
    if trained.value is None:
        return Finding(question, "not measured", _sentence(trained.reason))
    interval = interval_of(trained)
    gain = difference(trained, untrained)
    text = (
        f"A linear classifier names it in {_with_interval(trained, percent)} of the views; "
        f"chance is {percent(file.chance[task])}. S of the untrained network gives "
        f"{shown(untrained, percent)}, {len(file.statistics)} plain image statistics "
        f"{shown(statistics, percent)}."
    )
    beside = difference(trained, statistics)
    if interval is None or gain is None or beside is None:
        verdict = TOO_FEW
    elif interval.low <= file.chance[task]:
        verdict = "not above chance"
    elif gain.sign == 0:
        verdict = "yes, but so does the untrained network"
    elif gain.sign < 0:
        verdict = "yes, less than the untrained network"
    elif beside.sign <= 0:
        verdict = "yes, no better than plain image statistics"
    else:
        verdict = "yes, and training made it so"
    return Finding(question, verdict, text)


def _explained(file: RepresentationFile) -> Finding:
    question = "Does S follow the degradation or the picture?"
    kind, picture = (file.explained[TRAINED, "all", each] for each in ("degradation", "picture"))
    before = file.explained[UNTRAINED, "all", "degradation"]
    if kind.value is None or picture.value is None:
        return Finding(question, "not measured", _sentence(kind.reason or picture.reason))
    verdict = "the degradation more" if kind.value > picture.value else "the picture more"
    text = (
        f"The degradation explains {percent(kind.value)} of the variance of S, the picture "
        f"{percent(picture.value)}; before training the degradation explained "
        f"{shown(before, percent)}, and it explains "
        f"{shown(file.explained[PLAIN, 'none', 'degradation'], percent)} of plain image statistics."
    )
    return Finding(question, verdict, text)


def recreation_verdict(file: RepresentationFile) -> str:
    """Does U carry the degradation or the picture, by PSNR to the degraded view?

    U of another picture under the same degradation helps only if it carries the degradation; U of
    its own may help because it carries the very residual. To help is to come closer than the clean
    picture itself, and than NDR-Degrad without U (zeros).
    """
    made = file.recreation
    own, other, other_type, _, zeros = (made.psnr[feed] for feed in made.feeds)
    control = made.psnr[made.control]
    base = max(control, zeros, key=lambda number: number.value or 0.0)
    helps = difference(own, base)
    lost = difference(own, other)
    moved = difference(other, base)
    kept = difference(other, other_type)
    if not helps or not lost or not moved or not kept or helps.interval is None:
        return TOO_FEW
    if helps.sign <= 0:
        return "undecided: with its own U NDR-Degrad does no better than without"
    if moved.sign > 0 and lost.sign > 0:
        return "both: U of another picture still helps, its own helps more"
    if moved.sign > 0:
        return "the degradation: U of another picture helps, and its own not measurably more"
    if lost.sign <= 0 or kept.sign > 0:
        return "undecided: U of another picture does not help, but the picture is not the reason"
    return "the picture: U of another one brings the result no closer than the clean picture"


def _recreation(file: RepresentationFile) -> Finding:
    question = "Does U carry the degradation or the picture?"
    made = file.recreation
    if made.reason:
        return Finding(question, "not measured", _sentence(made.reason))
    own, other, other_type, shuffled, zeros = made.feeds
    text = (
        f"With {own} NDR-Degrad reaches {_with_interval(made.psnr[own], decibel)} to the "
        f"degraded view; {made.control}: {shown(made.psnr[made.control], decibel)}. With "
        f"{other} it is {_with_interval(made.psnr[other], decibel)}, with {other_type} "
        f"{shown(made.psnr[other_type], decibel)}, with {shuffled} "
        f"{shown(made.psnr[shuffled], decibel)}, with {zeros} {shown(made.psnr[zeros], decibel)}."
    )
    return Finding(question, recreation_verdict(file), text)


def _swap(file: RepresentationFile) -> Finding:
    question = "Does U of another picture bring its degradation along?"
    swap = file.recreation.swap
    if swap is None:
        return Finding(question, "not measured", _sentence(file.recreation.reason))
    case = "U of another picture"
    number, fresh = swap.accuracy[case], swap.accuracy[f"{case}, untrained"]
    if number.value is None:
        return Finding(question, "not measured", _sentence(number.reason))
    interval = interval_of(number)
    gain = difference(number, fresh)
    text = (
        "A classifier that has learned from really degraded views names the degradation of "
        f"the output in {_with_interval(number, percent)} of the cases; chance is "
        f"{percent(swap.chance)}, the untrained network {shown(fresh, percent)}. It names "
        f"really degraded views in {shown(swap.accuracy['really degraded views'], percent)}, and "
        f"the output for its own U in {shown(swap.accuracy['own U'], percent)}."
    )
    seen = interval is not None and interval.low > swap.chance
    return Finding(
        question, "yes" if seen and gain is not None and gain.sign > 0 else "not seen", text
    )


def _usage(file: RepresentationFile) -> Finding:
    question = "Are all vectors of D used?"
    trained = [file.usage[TRAINED, level] for level in LEVELS]
    values = [number.value for number in trained if number.value is not None]
    if not values:
        return Finding(question, "not measured", _sentence(trained[0].reason))
    verdict = "in part"
    if min(values) > MOST * file.likeness.vectors:
        verdict = "most, at all levels"
    elif max(values) < FEW * file.likeness.vectors:
        verdict = "few, at all levels"
    before = " / ".join(shown(file.usage[UNTRAINED, level], vectors) for level in LEVELS)
    text = (
        f"At levels 1 / 2 / 3 the affinity spreads as if "
        f"{' / '.join(shown(number, vectors) for number in trained)} of the "
        f"{file.likeness.vectors} vectors were used evenly; before training {before}."
    )
    return Finding(question, verdict, text)


def _similarity(file: RepresentationFile) -> Finding:
    question = "Are the vectors of D unlike each other?"
    trained, drawn = file.similarity[TRAINED].value, file.similarity["random"].value
    if trained is None or drawn is None:
        return Finding(question, "not measured", _sentence(file.similarity[TRAINED].reason))
    verdict = "as random vectors are"
    if trained > (1 + UNLIKE) * drawn:
        verdict = "less than random vectors are"
    elif trained < (1 - UNLIKE) * drawn:
        verdict = "more than random vectors are"
    text = (
        f"Mean absolute cosine {cosine(trained)}; random matrices of {file.likeness.vectors} "
        f"vectors of {file.likeness.dimension} numbers have {cosine(drawn)}, D before training "
        f"{shown(file.similarity[UNTRAINED], cosine)}."
    )
    return Finding(question, verdict, text)


def _settling(file: RepresentationFile) -> Finding:
    question = "Does D settle while it is trained?"
    found = settling(file)
    if isinstance(found, str):
        return Finding(question, "not measured", _sentence(found))
    raw, scaled, walk = found
    first, last = file.settling[0], file.settling[-1]
    if scaled < FALLS and walk < FALLS:
        verdict = "yes, beyond what the learning rate does"
    elif min(raw, scaled) < FALLS:
        verdict = "not shown: the fall is that of the learning rate or of a random walk"
    else:
        verdict = "no"
    text = (
        f"From steps {first.first_step} to {first.last_step} to steps {last.first_step} to "
        f"{last.last_step} the relative change of D per step becomes {plain(raw)} times as large; "
        f"divided by the learning rate {plain(scaled)} times. A D that moves at random would also "
        f"fall in both, because its steps cancel over longer intervals: against a random walk of "
        f"the same learning rates it becomes {plain(walk)} times as large."
    )
    return Finding(question, verdict, text)


def _correlation(file: RepresentationFile, name: str, question: str) -> Finding:
    number, features = (file.correlation[TRAINED, "1", each] for each in (name, "F"))
    fresh = file.correlation[UNTRAINED, "1", name]
    if number.value is None:
        return Finding(question, "not measured", _sentence(number.reason))
    gain = difference(number, features)
    text = (
        f"Over the pixels of level 1 the correlation with |x - y| is "
        f"{_with_interval(number, plain)}; that of the norm of F is {shown(features, plain)}, "
        f"before training {shown(fresh, plain)}."
    )
    interval = interval_of(number)
    if interval is None:
        return Finding(question, TOO_FEW, text)
    if interval.high < 0:
        return Finding(question, "no, it is smaller there", text)
    if interval.low <= 0:
        return Finding(question, "not seen", text)
    if gain is None or gain.sign <= 0:
        return Finding(question, "yes, no more than F itself", text)
    return Finding(question, "yes, more than F itself", text)


def findings(file: RepresentationFile) -> Iterator[Finding]:
    """All findings of one run, in the order of the table."""
    for task in file.chance:
        yield _separability(file, task)
    yield _explained(file)
    yield _recreation(file)
    yield _swap(file)
    yield _usage(file)
    yield _similarity(file)
    yield _settling(file)
    yield _correlation(file, "U", "Is U large where the degradation is?")
    yield _correlation(file, "change", "Does injection change F where the degradation is?")
