"""What U does in the restoration and what its maps show, in answers that follow from intervals."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from ndr.metrics.metric import MAIN, METRICS
from ndr.records.representation import (
    ALL_DEGRADATIONS,
    CLEAN,
    TRAINED,
    UNTRAINED,
    RepresentationFile,
)
from reports.analysis.representation_intervals import difference, known
from reports.analysis.representation_words import (
    Answer,
    decibel,
    decided_by_interval,
    gain,
    plain,
    shown,
    unmeasured,
    with_interval,
)

Files = Sequence[RepresentationFile]
SMALLEST = METRICS[MAIN].smallest_effect
"""Losses and gains below it, in dB, are none."""


def restoration_uses_u(files: Files) -> Answer:
    """Whether NDR-Restore loses by another U than its own."""
    question = "Does the restoration use U?"
    feeds = files[0].restored.feeds
    if not feeds:
        return unmeasured(question, "no view was restored with another U")
    numbers = {feed: [file.restored.psnr[feed] for file in files] for feed in feeds}
    own, *others = feeds
    loss = {feed: difference(numbers[own], numbers[feed]) for feed in others}
    zeros = next(feed for feed in others if "zeros" in feed)
    if loss[zeros].value is None:
        return unmeasured(question, loss[zeros].reason)
    lost = "; ".join(f"{feed}: {with_interval(loss[feed], gain)}" for feed in others)
    text = (
        f"With its own U it reaches {with_interval(known(numbers[own]), decibel)} to the clean "
        f"view. It loses with {lost}."
    )
    return decided_by_interval(
        question,
        ("yes", "no: a U of zeros costs nothing that counts", "not seen"),
        text,
        loss[zeros],
        measured="loss with a U of zeros",
        unit=MAIN,
        bound=SMALLEST,
    )


def restoration_uses_type(files: Files) -> Answer:
    """Whether U of another degradation costs more than U of another picture with the same."""
    question = "Does the restoration use the type of degradation in U?"
    feeds = files[0].restored.feeds
    if not feeds:
        return unmeasured(question, "no view was restored with another U")
    numbers = {feed: [file.restored.psnr[feed] for file in files] for feed in feeds}
    same, other = numbers[feeds[1]], numbers[feeds[2]]
    more = difference(same, other)
    if more.value is None:
        return unmeasured(question, more.reason)
    text = (
        f"With {feeds[1]} it reaches {shown(known(same), decibel)}, with {feeds[2]} "
        f"{shown(known(other), decibel)}: another degradation costs {with_interval(more, gain)} "
        "more than another picture."
    )
    words = ("yes", "no: another degradation costs less than another picture", "not seen")
    return decided_by_interval(question, words, text, more, measured="further loss", unit=MAIN)


def learned_vectors_matter(files: Files) -> Answer:
    """Whether the trained network loses where random vectors stand in place of D."""
    question = "Do the vectors that D learned matter to the trained network?"
    feeds = files[0].restored.feeds
    if not feeds:
        return unmeasured(question, "no view was restored with another U")
    own, random = ([file.restored.psnr[feeds[place]] for file in files] for place in (0, -1))
    loss = difference(own, random)
    if loss.value is None:
        return unmeasured(question, loss.reason)
    text = (
        f"With vectors of random directions, as long as its own, it loses "
        f"{with_interval(loss, gain)}. Whether a network trained with frozen random vectors would "
        "lose, the table of the frozen D says."
    )
    words = ("yes", "no: it loses nothing that counts", "not seen")
    return decided_by_interval(
        question,
        words,
        text,
        loss,
        measured="loss with random vectors",
        unit=MAIN,
        bound=SMALLEST,
    )


def recreates(files: Files) -> Answer:
    """Whether NDR-Degrad comes closer to the degraded view than the clean view is."""
    question = "Does NDR-Degrad make the degraded view again?"
    made = files[0].recreation
    if made.reason:
        return unmeasured(question, made.reason)
    own, control = (
        [file.recreation.psnr[name] for file in files] for name in (made.feeds[0], made.control)
    )
    closer = difference(own, control)
    if closer.value is None:
        return unmeasured(question, closer.reason)
    text = (
        f"With its own U it reaches {with_interval(known(own), decibel)} to the degraded view, the "
        f"clean view itself {shown(known(control), decibel)}."
    )
    words = ("yes", "no: the clean view is closer", "not seen")
    return decided_by_interval(
        question, words, text, closer, measured="PSNR beyond the clean view's", unit=MAIN
    )


def _correlation(files: Files, name: str, question: str) -> Answer:
    """Whether a norm is large where the degradation is, beside that of F."""
    numbers, features = (
        [file.correlation[TRAINED, "1", each] for file in files] for each in (name, "F")
    )
    number = known(numbers)
    if number.value is None:
        return unmeasured(question, number.reason)
    fresh = known([file.correlation[UNTRAINED, "1", name] for file in files])
    beside = "" if name == "F" else f"that of the norm of F is {shown(known(features), plain)}, "
    text = (
        f"Over the pixels of level 1 the correlation with |x - y| is {with_interval(number, plain)}"
        f"; {beside}before training {shown(fresh, plain)}."
    )
    more = name == "F" or difference(numbers, features).sign() > 0
    yes = "yes" if name == "F" else f"yes, {'more' if more else 'no more'} than F itself"
    words = (yes, "no, it is smaller there", "not seen")
    return decided_by_interval(question, words, text, number, measured="correlation with |x - y|")


def _dose(files: Files, kind: str) -> Answer:
    """Whether the norm of U rises with the strength of one kind of degradation."""
    question = f"Does U grow with the strength of {kind}?"
    rows = [
        [row for row in file.dose if (row.kind, row.source) == (kind, source)]
        for source in (TRAINED, UNTRAINED)
        for file in files
    ]
    if not all(rows):
        return unmeasured(question, "no view was made at several strengths")
    trained = [row.U for (row,) in rows[: len(files)]]
    number = known(trained)
    if number.value is None:
        return unmeasured(question, number.reason)
    features = known([row.F for (row,) in rows[: len(files)]])
    fresh = known([row.U for (row,) in rows[len(files) :]])
    strengths = ", ".join(f"{dose:g}" for dose in rows[0][0].doses)
    text = (
        f"Rank correlation of its mean norm at level 1 with {strengths}: "
        f"{with_interval(number, plain)}; of the norm of F {shown(features, plain)}, of U before "
        f"training {shown(fresh, plain)}."
    )
    words = ("yes", "no, it falls", "not seen")
    return decided_by_interval(question, words, text, number, measured="rank correlation")


def _unseen(files: Files, place: int) -> Answer:
    """Whether the restoration helps against a degradation that no training has."""
    rows = [file.unseen[place] for file in files if len(file.unseen) > place]
    if len(rows) < len(files):
        return unmeasured(
            "Does it help against a degradation that it has not seen?",
            "networks with a x2 head were not asked",
        )
    question = f"Does it help against what it has not seen ({rows[0].kind})?"
    degraded, restored, without = (
        [getattr(row, name) for row in rows] for name in ("degraded", "restored", "without_u")
    )
    better = difference(restored, degraded)
    if better.value is None:
        return unmeasured(question, better.reason)
    text = (
        f"The degraded view has {shown(known(degraded), decibel)}; restored it gains "
        f"{with_interval(better, gain)}, with a U of zeros "
        f"{with_interval(difference(without, degraded), gain)}."
    )
    words = ("yes", "no, it harms", "not seen")
    return decided_by_interval(
        question, words, text, better, measured="gain over the degraded view", unit=MAIN
    )


def shows_edges(files: Files) -> Answer:
    """Whether U of views that nothing was done to is large at their edges."""
    question = "Is U large at the edges of a clean view?"
    number, features = (known([file.edge(TRAINED, CLEAN, n) for file in files]) for n in "UF")
    if number.value is None:
        return unmeasured(question, number.reason)
    fresh = known([file.edge(UNTRAINED, CLEAN, "U") for file in files])
    text = (
        f"Correlation of its norm with the size of grey differences: "
        f"{with_interval(number, plain)}; of the norm of F {shown(features, plain)}, of U before "
        f"training {shown(fresh, plain)}."
    )
    words = ("yes", "no, it is smaller there", "not seen")
    return decided_by_interval(question, words, text, number, measured="correlation with edges")


def residual_beyond_edges(files: Files) -> Answer:
    """Whether U follows the degradation more than the edges of what is degraded."""
    question = "Does U follow the degradation more than the edges of the clean view?"
    residual = [file.correlation[TRAINED, "1", "U"] for file in files]
    edges = [file.edge(TRAINED, ALL_DEGRADATIONS, "U") for file in files]
    more = difference(residual, edges)
    if more.value is None:
        return unmeasured(question, more.reason)
    text = (
        f"Over the pixels of degraded views its norm correlates with |x - y| by "
        f"{with_interval(known(residual), plain)}, with the edges of the clean view by "
        f"{with_interval(known(edges), plain)}."
    )
    words = ("yes", "no, the edges more", "not told apart")
    return decided_by_interval(
        question, words, text, more, measured="correlation with |x - y| less with edges"
    )


Ask = Callable[[Files], Answer]
QUESTIONS: dict[str, Ask] = {
    "restoration_uses_u": restoration_uses_u,
    "restoration_uses_type": restoration_uses_type,
    "learned_vectors_matter": learned_vectors_matter,
    "recreates": recreates,
    "u_shows_residual": functools.partial(
        _correlation, name="U", question="Is U large where the degradation is?"
    ),
    "features_show_residual": functools.partial(
        _correlation, name="F", question="Is F before the query large where the degradation is?"
    ),
    "injection_acts_on_residual": functools.partial(
        _correlation,
        name="change",
        question="Does injection change F where the degradation is?",
    ),
    "residual_beyond_edges": residual_beyond_edges,
    "edges_of_clean": shows_edges,
    "dose_of_noise": functools.partial(_dose, kind="noise"),
    "dose_of_rain": functools.partial(_dose, kind="rain"),
    "dose_of_haze": functools.partial(_dose, kind="haze"),
    "unseen_noise": functools.partial(_unseen, place=0),
    "unseen_blur": functools.partial(_unseen, place=1),
    "unseen_jpeg": functools.partial(_unseen, place=2),
}
