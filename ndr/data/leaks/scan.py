"""The scan: training sets against test sets, and test sets against each other and in themselves."""

from __future__ import annotations

import itertools
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ndr.data.leaks.likeness import (
    MAXIMUM_DISTANCE,
    MINIMUM_CORRELATION,
    ORIENTATIONS,
    correlations,
    flat,
    near_pairs,
    oriented,
    perceptual_hashes,
)
from ndr.data.leaks.scanned_set import (
    SIDES,
    Place,
    ScannedSet,
    ThumbnailCache,
    fill_cache,
    read_set,
)
from ndr.records.leak_findings import (
    IDENTICAL,
    NEAR_DUPLICATE,
    Comparison,
    LeakFindings,
    Match,
    NameClash,
    TestSetFacts,
)

log = logging.getLogger(__name__)

_CANDIDATES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class PictureIndex:
    """The pictures of a set with thumbnails and hashes; flat ones are left out."""

    pictures: tuple[str, ...]
    """Pixel hashes."""
    thumbnails: np.ndarray
    """uint8 (N, 64, 64)."""
    hashes: np.ndarray
    """uint64 (N, 4)."""


def picture_index(one_set: ScannedSet, cache: ThumbnailCache) -> PictureIndex:
    """Collect what the cache holds of a set; `fill_cache` comes first."""
    thumbnails = np.stack([cache[pixels] for pixels in one_set.pictures])
    pictures = one_set.pictures
    empty = flat(thumbnails)
    if empty.any():  # no copy of all the thumbnails of a large set without need
        thumbnails = thumbnails[~empty]
        pictures = tuple(itertools.compress(pictures, ~empty))
    return PictureIndex(pictures, thumbnails, perceptual_hashes(thumbnails))


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two pictures with different pixels that show the same photograph."""

    first: str
    second: str
    score: float
    orientation: str


def _candidates(first: PictureIndex, second: PictureIndex) -> np.ndarray:
    """Index triples (first, second, orientation) with similar hashes, each pair once or more."""
    turned = oriented(second.thumbnails)
    hashes = perceptual_hashes(turned.reshape(-1, *turned.shape[2:]))
    found = [
        np.stack([rows, columns % len(second.pictures), columns // len(second.pictures)], axis=1)
        for rows, columns in near_pairs(first.hashes, hashes)
    ]
    return np.concatenate(found) if found else np.empty((0, 3), dtype=np.intp)


def similar_pictures(
    first: PictureIndex, second: PictureIndex, minimum: float = MINIMUM_CORRELATION
) -> list[Likeness]:
    """Find near duplicates: similar hashes first, then correlation decides.

    The pictures of `second` are tried in all orientations, because training flips and transposes.
    Pictures with equal pixels are no near duplicates.

    Args:
        first: pictures of a set.
        second: pictures of the other; its orientations are tried, so the smaller one.
        minimum: correlation from which on two pictures count as the same.

    Returns:
        One entry per pair of pictures, with its best orientation, in the order of the sets.
    """
    triples = _candidates(first, second)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for start in range(0, len(triples), _CANDIDATES_AT_ONCE):
        part = triples[start : start + _CANDIDATES_AT_ONCE]
        scores = correlations(
            first.thumbnails[part[:, 0]],
            oriented(second.thumbnails[part[:, 1]])[part[:, 2], np.arange(len(part))],
        )
        for (one, two, orientation), score in zip(part.tolist(), scores.tolist(), strict=True):
            if score >= minimum and first.pictures[one] != second.pictures[two]:
                known = best.get((one, two), (-1.0, 0))
                best[one, two] = max(known, (score, orientation), key=lambda found: found[0])
    return [
        Likeness(first.pictures[one], second.pictures[two], score, ORIENTATIONS[orientation])
        for (one, two), (score, orientation) in sorted(best.items())
    ]


def groups(count: int, links: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Put together what is linked, directly or over others.

    >>> groups(4, [(0, 2), (2, 3)])
    [[0, 2, 3], [1]]
    """
    firsts, seconds = np.array(links, dtype=np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (firsts, seconds)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    members: dict[int, list[int]] = defaultdict(list)
    for item, label in enumerate(labels.tolist()):
        members[label].append(item)
    return list(members.values())


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


def facts_of(
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
        maximum_distance=MAXIMUM_DISTANCE,
        minimum_correlation=MINIMUM_CORRELATION,
        trainings=trainings,
        tests=tuple(compared(other, test) for test in tests for other in tests if other != test),
        test_sets=tuple(
            facts_of(sets[test], indices[test], [c for c in trainings if c.test == test])
            for test in tests
        ),
    )
