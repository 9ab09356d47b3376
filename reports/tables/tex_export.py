r"""A table as LaTeX with booktabs, ready for `\input`."""

from __future__ import annotations

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Row, Shown, TableResult
from reports.number_format import INFINITE, MINUS, MISSING, digits, metric_text

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    INFINITE: r"$\infty$",
    MINUS: "$-$",
    MISSING: "--",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{GREEK SMALL LETTER SIGMA}": r"$\sigma$",
    "\N{GREEK SMALL LETTER LAMDA}": r"$\lambda$",
}


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> escaped("50 % of a_b")
    '50 \\% of a\\_b'
    """
    return "".join(ESCAPES.get(character, character) for character in " ".join(text.split()))


def _number(shown: Shown) -> str:
    text = escaped(metric_text(shown.metric, shown.value, shown.infinite))
    marks = {t.BEST: r"\textbf{%s}", t.NOT_DISTINGUISHABLE: r"\underline{%s}"}
    return marks.get(shown.from_best, "%s") % text


def _interval(shown: Shown) -> str:
    r"""The ends of the interval as distances from the mean, above each other: `^{+a}_{-b}`."""
    if shown.interval is None or shown.value is None:
        return ""
    # Percentiles lie beside the mean on rare occasions: the sign is part of the distance.
    down, up = (f"{end - shown.value:+.{digits(shown.metric)}f}" for end in shown.interval)
    return rf"{{\scriptsize $^{{{up}}}_{{{down}}}$}}"


def _agreement(shown: Shown) -> str:
    """The paper's number with a sign: close to ours, or ours above or below it."""
    if not shown.paper_text:
        return ""
    signs = {t.CLOSE: r"\,$\approx$", "": ""}
    off = r"\,$+$" if (shown.difference or 0.0) > 0 else r"\,$-$"
    return rf"{{\scriptsize {shown.paper_text}{signs.get(shown.agreement, off)}}}"


def _ours(cell: Cell) -> list[str]:
    if cell.status in t.MEASURED:
        return [_number(shown) for shown in cell.shown]
    return ["" if cell.status == t.BLANK else "--"] * len(cell.shown)


def _row_lines(row: Row) -> list[str]:
    label = escaped(row.exported_label)
    if row.run is None:
        label += r" \textit{(" + escaped(row.reason) + ")}"
    lines = [" & ".join([label, *(e for cell in row.cells for e in _ours(cell))]) + r" \\"]
    shown = [shown for cell in row.cells for shown in cell.shown]
    for name, entries in (
        (r"95 \% interval", [_interval(one) for one in shown]),
        ("paper", [_agreement(one) for one in shown]),
    ):
        if any(entries):
            lines.append(" & ".join([rf"\quad{{\scriptsize {name}}}", *entries]) + r" \\")
    return lines


def _block_lines(block: Block, width: int) -> list[str]:
    name = escaped(block.name)
    name += f" (tasks mixed by {escaped(block.balance)})" if block.balance else ""
    lines = [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\textit{{{name}}}}} \\"]
    for row in block.rows:
        lines += _row_lines(row)
    return lines


def table_tex(table: TableResult) -> str:
    r"""The table as a `table*` environment; it needs `\usepackage{booktabs}` and nothing else.

    Our value stands above the ends of its interval and the paper's number (small); bold is best,
    underlined what is not distinguishable from it.
    """
    metrics = len(table.metrics)
    width = 1 + metrics * len(table.columns)
    groups = " & ".join(
        rf"\multicolumn{{{metrics}}}{{c}}{{{escaped(column.label)}}}" for column in table.columns
    )
    rules = "".join(
        rf"\cmidrule(lr){{{2 + metrics * i}-{1 + metrics * (i + 1)}}}"
        for i in range(len(table.columns))
    )
    caption = (
        f"{table.title}. Tier {table.tier}, protocol {table.protocol}; ours, the distances of the "
        "ends of its 95 % interval, and the paper's number. Bold: best of the block, underlined: "
        "not distinguishable from it."
    )
    signs = (
        r" The paper's number is close to ours ($\approx$); otherwise ours is above ($+$) or below "
        "it ($-$)."
        if table.comparable_with_paper
        else " This tier is not comparable with the paper."
    )
    lines = [
        rf"% {' '.join((table.label + ': ' + table.title).split())}",
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escaped(caption)}{signs}}}",
        rf"\label{{tab:{''.join(c for c in table.name if c.isalnum())}}}",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
        rf"Method & {groups} \\",
        rules,
        " & ".join(["", *[escaped(m) for m in table.metrics] * len(table.columns)]) + r" \\",
    ]
    for block in table.blocks:
        lines += _block_lines(block, width)
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""]
    return "\n".join(lines)
