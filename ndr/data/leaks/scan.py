"""The scan: training sets against test sets, and test sets against each other and in themselves."""

from __future__ import annotations

import itertools
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ndr.data.leaks.correlation import MINIMUM_CORRELATION
from ndr.data.leaks.findings import (
    IDENTICAL,
    NEAR_DUPLICATE,
    SCHEMA,
    Comparison,
    LeakFindings,
    Match,
    NameClash,
    TestSetFacts,
)
from ndr.data.leaks.matching import (
    Likeness,
    PictureIndex,
    groups,
    picture_index,
    similar_pictures,
)
from ndr.data.leaks.perceptual_hash import MAXIMUM_DISTANCE
from ndr.data.leaks.scanned_set import SIDES, Place, ScannedSet, fill_cache, read_set
from ndr.data.leaks.thumbnail_cache import ThumbnailCache
from ndr.data.leaks.thumbnails import ORIENTATIONS

log = logging.getLogger(__name__)

Partner = tuple[Likeness, str, Place]
"""What is alike, the side of the test image, and where the partner stands."""


def _partners(
    row: int, test: ScannedSet, other: ScannedSet, likenesses: dict[str, list[Likeness]]
) -> Iterator[Partner]:
    """All places of the other set that show a picture of this row."""
    for side in SIDES:
        pixels = getattr(test.rows[row], f"{side}_pixels_sha256")
        if not pixels:
            continue
        if pixels in other.places:
            same = Likeness(pixels, pixels, 1.0, ORIENTATIONS[0])
            yield from ((same, side, place) for place in other.places[pixels])
        for likeness in likenesses.get(pixels, ()):
            yield from ((likeness, side, place) for place in other.places[likeness.first])


def _preference(partner: Partner) -> tuple[bool, bool, float, int]:
    """Sort key: identical pixels first, then equal sides, then the higher score."""
    likeness, side, place = partner
    return (likeness.first != likeness.second, side != place.side, -likeness.score, place.row)


def _matches(
    other: ScannedSet, test: ScannedSet, likenesses: Iterable[Likeness]
) -> tuple[Match, ...]:
    by_picture: dict[str, list[Likeness]] = defaultdict(list)
    for likeness in likenesses:
        by_picture[likeness.second].append(likeness)
    matches = []
    for number, row in enumerate(test.rows):
        partners = sorted(_partners(number, test, other, by_picture), key=_preference)
        if not partners:
            continue
        likeness, side, place = partners[0]
        names = dict.fromkeys(other.rows[place.row].name for _, _, place in partners)
        matches.append(
            Match(
                image=row.name,
                scene=row.scene,
                kind=IDENTICAL if likeness.first == likeness.second else NEAR_DUPLICATE,
                score=round(likeness.score, 4),
                orientation=likeness.orientation,
                sides=f"{side} = {place.side}",
                partners=tuple(names),
            )
        )
    return tuple(matches)


def _name_clashes(
    other: ScannedSet, test: ScannedSet, matches: Iterable[Match]
) -> tuple[NameClash, ...]:
    """Test images whose name or scene is also in the other set."""
    partners = {match.image: set(match.partners) for match in matches}
    by_name: dict[str, list[str]] = defaultdict(list)
    for row in other.rows:
        for key in dict.fromkeys((row.name, row.scene)):
            by_name[key].append(row.name)
    clashes = []
    for row in test.rows:
        named = by_name.get(row.name) or by_name.get(row.scene)
        if named:
            same = partners.get(row.name, set()).intersection(named)
            clashes.append(NameClash(row.name, sorted(same)[0] if same else named[0], bool(same)))
    return tuple(clashes)


def compare(
    other: ScannedSet, test: ScannedSet, other_index: PictureIndex, test_index: PictureIndex
) -> Comparison:
    """Compare a training set, or another test set, with a test set."""
    matches = _matches(other, test, similar_pictures(other_index, test_index))
    return Comparison(
        other=other.name,
        test=test.name,
        other_images=len(other.rows),
        test_images=len(test.rows),
        matches=matches,
        name_clashes=_name_clashes(other, test, matches),
    )


def _scenes(test: ScannedSet, index: PictureIndex) -> list[list[int]]:
    """Rows of a test set by what they show: same scene, equal pixels or near duplicates."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(test.rows):
        rows_of[test.truth(row)].append(number)
        rows_of[f"scene {row.scene}"].append(number)
    links = [pair for rows in rows_of.values() for pair in itertools.pairwise(rows)]
    links += [
        (rows_of[likeness.first][0], rows_of[likeness.second][0])
        for likeness in similar_pictures(index, index)
        if likeness.first in rows_of and likeness.second in rows_of
    ]
    return groups(len(test.rows), links)


def test_set_facts(
    test: ScannedSet, index: PictureIndex, comparisons: Iterable[Comparison]
) -> TestSetFacts:
    """Scenes of a test set, and which of its images stand in the training sets compared."""
    found = {match.image for one in comparisons for match in one.matches}
    scenes = _scenes(test, index)
    names = [row.name for row in test.rows]
    return TestSetFacts(
        name=test.name,
        images=len(names),
        expected=test.manifest.expected,
        pictures=len({test.truth(row) for row in test.rows}),
        scenes=len(scenes),
        repeats=tuple(tuple(names[row] for row in rows) for rows in scenes if len(rows) > 1),
        leaked=tuple(name for name in names if name in found),
        unleaked=tuple(name for name in names if name not in found),
    )


test_set_facts.__test__ = False  # type: ignore[attr-defined]  # a name of the subject, not a test


def scan(
    sets_folder: str | Path,
    train_sets: Sequence[str],
    test_sets: Sequence[str],
    cache_folder: str | Path,
    workers: int,
) -> LeakFindings:
    """Compare prepared sets.

    Pixel hashes come from the manifests; every picture is decoded once and its thumbnail kept in
    the cache. What a trimmed copy shares with its original is found as long as most of the frame
    is the same; a small part cut out of a photograph is not.

    Args:
        sets_folder: folder of the prepared sets.
        train_sets: names of the training sets.
        test_sets: names of the test sets.
        cache_folder: thumbnails that outlive the scan.
        workers: pictures that are decoded at the same time.

    Raises:
        FileNotFoundError: a set is not prepared, or a file of it is gone.
        ManifestError, ImageFileError: a manifest or a file is damaged.
    """
    names = dict.fromkeys([*train_sets, *test_sets])
    sets = {name: read_set(sets_folder, name) for name in names}
    cache = ThumbnailCache(cache_folder)
    decoded = fill_cache(list(sets.values()), cache, workers)
    log.info("%d sets, %d pictures decoded", len(sets), decoded)
    indices = {name: picture_index(one_set, cache) for name, one_set in sets.items()}

    def compared(other: str, test: str) -> Comparison:
        return compare(sets[other], sets[test], indices[other], indices[test])

    tests = list(dict.fromkeys(test_sets))
    trainings = tuple(
        compared(train, test) for test in tests for train in dict.fromkeys(train_sets)
    )
    return LeakFindings(
        schema=SCHEMA,
        maximum_distance=MAXIMUM_DISTANCE,
        minimum_correlation=MINIMUM_CORRELATION,
        trainings=trainings,
        tests=tuple(compared(other, test) for test in tests for other in tests if other != test),
        test_sets=tuple(
            test_set_facts(sets[test], indices[test], [c for c in trainings if c.test == test])
            for test in tests
        ),
    )
