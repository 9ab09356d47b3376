"""Terms of use that must be accepted, once and by name, before a set is downloaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ndr.data.fetch.source import Terms
from ndr.nearest_name import check_names, unknown_name


class TermsError(ValueError):
    """Terms that nobody has accepted; the message names the licence, its address and the key."""


def check_terms(
    set_name: str, name: str | None, known: Mapping[str, Terms], accepted: Collection[str]
) -> None:
    """Refuse a set whose terms are not accepted.

    Args:
        set_name: the set.
        name: its terms; None: free.
        known: the catalogue's terms.
        accepted: the names that the user accepts.

    Raises:
        TermsError: not accepted.
        UnknownNameError: terms that the catalogue does not know, given or accepted.
    """
    check_names("name in accepted_terms", accepted, known)
    if name is None or name in accepted:
        return
    if name not in known:
        raise unknown_name("terms", name, known)
    terms = known[name]
    raise TermsError(
        f"set {set_name!r} is published under terms of use: {terms.title} ({terms.url}). "
        f"{terms.text.strip()} Read them; if you accept, add {name} to accepted_terms in "
        f"config/config.yaml (accepted_terms: [{name}]), or pass --accept-terms {name}. Nothing "
        "was downloaded."
    )
