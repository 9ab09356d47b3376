"""What browser tests ask of the page: cells, rows in sight, where a link has landed."""

from __future__ import annotations

from tests.reports.browser import Browser

CELL = "table_05__noise_rain__ndr_restore__bsd68_sigma25"
"""NDR-Restore on noise, in the small report."""
NDR_CELL = f'#table_05 [data-cell="{CELL}"]'
NAMES = ("Degraded input", "AirNet", "NDR-Restore", "script", "Noise + ")
"""Beginnings of the rows of the small report's Table V."""


def labels(page: Browser, block: int = 0) -> list[str]:
    """Methods of a block that can be seen, from top to bottom, each by a word."""
    found = page.run(
        f"[...document.querySelectorAll('#table_05 tbody')[{block}].rows]"
        ".filter(row => row.getClientRects().length)"
        ".map(row => row.cells[0].textContent.trim())"
    )
    return [next(name for name in NAMES if name in label) for label in found]


def visible(page: Browser, selector: str) -> int:
    """How many elements of a selector take room on the page."""
    return page.run(
        f"[...document.querySelectorAll({selector!r})].filter(e => e.checkVisibility()).length"
    )


def off_target(page: Browser, anchor: str) -> float:
    """Pixels between the place where a link points and the top of the window, once nothing moves.

    What stands too near an end of the page cannot come to the top: then how far the page is from
    this end. Bars that stick to the window cover its top; what is right below them is on target.
    """
    page.settle()
    return page.run(
        f"""(async () => {{
          for (let last = -1, still = 0; still < 10;) {{
            await new Promise(requestAnimationFrame);
            still = scrollY === last ? still + 1 : 0;
            last = scrollY;
          }}
          const target = document.getElementById({anchor!r});
          const covered = [...document.querySelectorAll('.bar, .tools')].filter((bar) =>
            getComputedStyle(bar).position === 'sticky' && bar.getBoundingClientRect().top <= 0)
            .reduce((sum, bar) => sum + Math.max(0, bar.getBoundingClientRect().bottom), 0);
          const away = target.getBoundingClientRect().top - covered;
          const left = document.documentElement.scrollHeight - innerHeight - scrollY;
          return Math.min(Math.abs(away), Math.abs(left), away > 0 ? scrollY : Infinity);
        }})()"""
    )


def small_words(smallest: float) -> str:
    """JavaScript that gives the elements whose words are seen and smaller; pixels."""
    return f"""(() => {{
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {{
    const parent = node.parentElement;
    if (!node.textContent.trim() || !parent.getClientRects().length) continue;
    if (parent.closest('.hidden, script, style, noscript')) continue;
    let size = parseFloat(getComputedStyle(parent).fontSize);
    const svg = parent.closest('svg');
    if (svg) size *= svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    if (size < {smallest - 0.01}) found.set(`${{parent.tagName}}.${{parent.className}}`, size);
  }}
  return [...found];
}})()"""
