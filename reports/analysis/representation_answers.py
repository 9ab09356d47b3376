"""What S and D represent, in answers: every word of a verdict follows from an interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ndr.metrics.metric import MAIN
from ndr.records.representation import (
    FEATURES,
    LEVELS,
    PLAIN,
    TRAINED,
    UNTRAINED,
    RepresentationFile,
)
from reports.analysis import restoration_answers as restoration
from reports.analysis.representation_intervals import difference, known
from reports.analysis.representation_words import (
    TOO_FEW,
    Answer,
    cosine,
    decibel,
    decided_by_interval,
    percent,
    plain,
    shown,
    unmeasured,
    vectors,
    with_interval,
)

MOST, FEW = 0.75, 0.25
"""Parts of the N vectors above and below which the use is called by a word."""

Files = Sequence[RepresentationFile]
"""Files of one network, one per training."""


def names_type(files: Files, task: str) -> Answer:
    """Whether a classifier tells degradations apart by S, and better than without D."""
    question = f"Does S name the degradation ({task})?"
    numbers = {
        source: [file.accuracy[task, source, level] for file in files]
        for source, level in (
            (TRAINED, "all"),
            (UNTRAINED, "all"),
            (FEATURES, "all"),
            (PLAIN, "none"),
        )
    }
    trained = known(numbers[TRAINED])
    if trained.value is None:
        return unmeasured(question, trained.reason)
    chance = files[0].chance[task]
    beyond = {
        source: difference(numbers[TRAINED], numbers[source])
        for source in (UNTRAINED, PLAIN, FEATURES)
    }
    text = (
        f"A linear classifier names it in {with_interval(trained, percent)} of the views; "
        f"chance is {percent(chance)}. S of the untrained network gives "
        f"{shown(known(numbers[UNTRAINED]), percent)}, {len(files[0].statistics)} plain image "
        f"statistics {shown(known(numbers[PLAIN]), percent)}, the features F before the query "
        f"{shown(known(numbers[FEATURES]), percent)}."
    )
    controls = (
        (trained, chance, "chance", "accuracy from S"),
        (beyond[UNTRAINED], 0.0, "the untrained network", "beyond the untrained network's"),
        (beyond[PLAIN], 0.0, "plain image statistics", "beyond that from plain image statistics"),
        (beyond[FEATURES], 0.0, "the features that it is asked with", "beyond that from F"),
    )
    signs = [number.sign(bound) for number, bound, _, _ in controls]
    # What falls behind a control decides first, then what is not told from one.
    place = next((signs.index(sign) for sign in (-1, 0) if sign in signs), 1)
    lead, bound, control, words = controls[place]
    yes: bool | None = {1: True, 0: None, -1: False}[signs[place]]
    if any(number.interval is None for number, _, _, _ in controls):
        verdict, yes = TOO_FEW, None
    elif yes:
        verdict = "yes, and training made it so"
    else:
        verdict = f"worse than {control}" if yes is False else f"undecided: not told from {control}"
    return Answer(
        question,
        verdict,
        text,
        yes,
        words if place == 0 else f"accuracy from S {words}",
        lead.value,
        lead.interval,
        bound,
        trainings=len(files),
    )


def follows_type(files: Files) -> Answer:
    """Whether S varies with the degradation more than with the picture."""
    question = "Does S follow the degradation more than the picture?"
    kind, picture, lead = (
        known([file.explained[TRAINED, "all", each] for file in files])
        for each in ("degradation", "picture", "lead")
    )
    if lead.value is None:
        return unmeasured(question, lead.reason)
    before = known([file.explained[UNTRAINED, "all", "degradation"] for file in files])
    statistics = known([file.explained[PLAIN, "none", "degradation"] for file in files])
    words = ("yes", "no, the picture more", "undecided")
    text = (
        f"The degradation explains {with_interval(kind, percent)} of the variance of S, the "
        f"picture {with_interval(picture, percent)}; before training the degradation explained "
        f"{shown(before, percent)}, and it explains {shown(statistics, percent)} of plain image "
        "statistics."
    )
    return decided_by_interval(
        question, words, text, lead, measured="variance due to degradation less picture"
    )


def recreation_verdict(files: Files) -> tuple[str, bool | None]:
    """Does U carry the degradation or the picture, by PSNR to the degraded view?

    U of another picture under the same degradation helps only if it carries the degradation; U of
    its own may help because it carries the very residual. To help is to come closer than the clean
    picture itself, and than NDR-Degrad without U (zeros).
    """
    made = files[0].recreation
    numbers = {feed: [file.recreation.psnr[feed] for file in files] for feed in made.psnr}
    own, other, other_type, _, zeros = (numbers[feed] for feed in made.feeds)
    control = numbers[made.control]
    base = max(control, zeros, key=lambda each: known(each).value or 0.0)
    helps, lost = difference(own, base), difference(own, other)
    moved, kept = difference(other, base), difference(other, other_type)
    if any(each.interval is None for each in (helps, lost, moved, kept)):
        return TOO_FEW, None
    if helps.sign() <= 0:
        return "undecided: with its own U NDR-Degrad does no better than without", None
    if moved.sign() > 0 and lost.sign() > 0:
        return "both: U of another picture still helps, its own helps more", True
    if moved.sign() > 0:
        words = "the degradation: U of another picture helps, and its own not measurably more"
        return words, True
    if moved.sign() == 0 or lost.sign() <= 0 or kept.sign() > 0:
        words = "that U of another picture helps, or that the picture is the reason, is not shown"
        return f"undecided: {words}", None
    words = "the picture: U of another one brings the result no closer than the clean picture"
    return words, False


def carries(files: Files) -> Answer:
    """What NDR-Degrad makes of U of other pictures and degradations."""
    question = "Does U carry the degradation or the picture?"
    made = files[0].recreation
    if made.reason:
        return unmeasured(question, made.reason)
    psnr = {feed: known([file.recreation.psnr[feed] for file in files]) for feed in made.psnr}
    own, other, other_type, shuffled, zeros = made.feeds
    text = (
        f"With {own} NDR-Degrad reaches {with_interval(psnr[own], decibel)} to the "
        f"degraded view; {made.control}: {shown(psnr[made.control], decibel)}. With "
        f"{other} it is {with_interval(psnr[other], decibel)}, with {other_type} "
        f"{shown(psnr[other_type], decibel)}, with {shuffled} "
        f"{shown(psnr[shuffled], decibel)}, with {zeros} {shown(psnr[zeros], decibel)}."
    )
    moved = difference(
        [file.recreation.psnr[other] for file in files],
        [file.recreation.psnr[made.control] for file in files],
    )
    verdict, yes = recreation_verdict(files)
    return Answer(
        question,
        verdict,
        text,
        yes,
        f"PSNR with {other} beyond the clean picture's",
        moved.value,
        moved.interval,
        unit=MAIN,
        trainings=len(files),
    )


def swaps(files: Files) -> Answer:
    """Whether a classifier names the degradation that U of another picture brought."""
    question = "Does U of another picture bring its degradation along?"
    found = [file.recreation.swap for file in files if file.recreation.swap is not None]
    if len(found) < len(files):
        return unmeasured(question, files[0].recreation.reason)
    case = "U of another picture"
    numbers = {name: [swap.accuracy[name] for swap in found] for name in found[0].accuracy}
    number, chance = known(numbers[case]), found[0].chance
    if number.value is None:
        return unmeasured(question, number.reason)
    fresh = difference(numbers[case], numbers[f"{case}, untrained"])
    text = (
        "A classifier that has learned from really degraded views names the degradation of "
        f"the output in {with_interval(number, percent)} of the cases; chance is "
        f"{percent(chance)}, the untrained network "
        f"{shown(known(numbers[f'{case}, untrained']), percent)}. It names really degraded views "
        f"in {shown(known(numbers['really degraded views']), percent)}, and the output for its "
        f"own U in {shown(known(numbers['own U']), percent)}."
    )
    yes: bool | None = None
    if number.interval is None or fresh.interval is None:
        verdict = TOO_FEW
    elif number.sign(chance) > 0 and fresh.sign() > 0:
        verdict, yes = "yes", True
    elif number.sign(chance) < 0 or fresh.sign() < 0:
        verdict, yes = "no", False
    else:
        verdict = "not seen"
    return Answer(
        question,
        verdict,
        text,
        yes,
        "accuracy on what NDR-Degrad makes with U of another picture",
        number.value,
        number.interval,
        chance,
        trainings=len(files),
    )


def uses_all_vectors(files: Files) -> Answer:
    """How many vectors the affinity spreads over."""
    question = "Are all vectors of D used?"
    numbers = [known([file.usage[TRAINED, level] for file in files]) for level in LEVELS]
    if all(number.value is None for number in numbers):
        return unmeasured(question, numbers[0].reason)
    count = files[0].likeness.vectors
    before = " / ".join(
        shown(known([file.usage[UNTRAINED, level] for file in files]), vectors) for level in LEVELS
    )
    text = (
        f"At levels 1 / 2 / 3 the affinity spreads as if "
        f"{' / '.join(with_interval(number, vectors) for number in numbers)} of the "
        f"{count} vectors were used evenly; before training {before}."
    )
    yes: bool | None = None
    if any(number.interval is None for number in numbers):
        verdict = TOO_FEW
    elif all(number.sign(MOST * count) > 0 for number in numbers):
        verdict, yes = "most, at all levels", True
    elif all(number.sign(FEW * count) < 0 for number in numbers):
        verdict, yes = "few, at all levels", False
    elif all(number.sign(MOST * count) < 0 < number.sign(FEW * count) for number in numbers):
        verdict, yes = "in part, at all levels", False
    else:
        verdict = "not the same at all levels, or undecided"
    least = min(numbers, key=lambda number: number.value or 0.0)
    return Answer(
        question,
        verdict,
        text,
        yes,
        "vectors in use, at the level that uses fewest",
        least.value,
        least.interval,
        MOST * count,
        trainings=len(files),
    )


def vectors_differ(files: Files) -> Answer:
    """Whether the vectors of D are as unlike as random ones."""
    question = "Are the vectors of D unlike each other?"
    trained = known([file.similarity[TRAINED] for file in files])
    drawn = known([file.similarity["random"] for file in files])
    if trained.value is None or drawn.value is None:
        return unmeasured(question, trained.reason or drawn.reason)
    before = known([file.similarity[UNTRAINED] for file in files])
    likeness = files[0].likeness
    text = (
        f"Mean absolute cosine {cosine(trained.value)}; of random matrices of "
        f"{likeness.vectors} vectors of {likeness.dimension} numbers 95 % have "
        f"{with_interval(drawn, cosine)}, D before training had {shown(before, cosine)}."
    )
    yes: bool | None = None
    if drawn.interval is None:
        verdict = "undecided"
    elif trained.value > drawn.interval.high:
        verdict, yes = "less than random vectors are", False
    elif trained.value < drawn.interval.low:
        verdict, yes = "more than random vectors are", True
    else:
        verdict, yes = "as random vectors are", True
    return Answer(
        question,
        verdict,
        text,
        yes,
        "mean absolute cosine; the interval is that of random matrices",
        trained.value,
        drawn.interval,
        trainings=len(files),
    )


def settles(files: Files) -> Answer:
    """Whether D slows down by more than its learning rate does; claims ask the same."""
    question = "Does D settle while it is trained?"
    scaled = known([file.settled.scaled for file in files])
    walk = known([file.settled.walk for file in files])
    if scaled.value is None or walk.value is None:
        return unmeasured(question, scaled.reason or walk.reason)
    text = (
        "In the later half of its snapshots D changes, per sum of the learning rates, "
        f"{with_interval(scaled, plain)} times as much as in the earlier half. A D that moves at "
        "random would fall in this too, because its steps cancel over longer intervals: against a "
        f"random walk of the same learning rates it is {with_interval(walk, plain)} times."
    )
    signs = {scaled.sign(1.0), walk.sign(1.0)}
    yes: bool | None = None
    if scaled.interval is None or walk.interval is None:
        verdict = "undecided: too few vectors"
    elif signs == {-1}:
        verdict, yes = "yes, beyond what the learning rate does", True
    elif signs == {1}:
        verdict, yes = "no", False
    else:
        verdict = "not shown: the fall is that of the learning rate or of a random walk"
    return Answer(
        question,
        verdict,
        text,
        yes,
        "later over earlier change of D, against a random walk",
        walk.value,
        walk.interval,
        1.0,
        trainings=len(files),
    )


MAIN_TASK = 0
"""Of the tasks of the classifier: the types; the other is two levels of noise."""
QUESTIONS = {
    "affinity_names_type": lambda files: names_type(files, list(files[0].chance)[MAIN_TASK]),
    "affinity_follows_type": follows_type,
    "u_carries_degradation": carries,
    "u_brings_degradation_along": swaps,
    "all_vectors_used": uses_all_vectors,
    "vectors_differ": vectors_differ,
    "settles": settles,
    **restoration.QUESTIONS,
}
"""What a claim can ask; each takes the files of one network, one per training."""


def answer(question: str, files: Files) -> Answer:
    """Answer one of `QUESTIONS`."""
    return QUESTIONS[question](files)


def answers(files: Files) -> Iterator[Answer]:
    """All answers of one network, in the order of the page."""
    for task in files[0].chance:
        yield names_type(files, task)
    for name, ask in QUESTIONS.items():
        if name != "affinity_names_type":
            yield ask(files)
