r"""A table as LaTeX with booktabs, ready for `\input`."""

from __future__ import annotations

from reports import table_result as t
from reports.number_format import INFINITE, MINUS, MISSING, metric_text
from reports.table_result import Block, Cell, Row, Shown, TableResult

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
    wrapper = {1: r"\textbf{%s}", 2: r"\underline{%s}"}.get(shown.rank, "%s")
    return wrapper % text


def _ours(cell: Cell) -> list[str]:
    if cell.status in t.MEASURED:
        return [_number(shown) for shown in cell.shown]
    return ["" if cell.status == t.BLANK else "--"] * len(cell.shown)


def _row_lines(row: Row) -> list[str]:
    label = escaped(row.label)
    if row.run is None:
        label += r" \textit{(" + escaped(row.reason) + ")}"
    lines = [" & ".join([label, *(e for cell in row.cells for e in _ours(cell))]) + r" \\"]
    printed = [shown.paper_text for cell in row.cells for shown in cell.shown]
    if any(printed):
        small = [rf"{{\scriptsize {text}}}" if text else "" for text in printed]
        lines.append(" & ".join([r"\quad{\scriptsize paper}", *small]) + r" \\")
    return lines


def _block_lines(block: Block, width: int) -> list[str]:
    lines = [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escaped(block.name)}}}}} \\"]
    for row in block.rows:
        lines += _row_lines(row)
    return lines


def table_tex(table: TableResult) -> str:
    r"""The table as a `table*` environment; it needs `\usepackage{booktabs}` and nothing else.

    Our value stands above the paper's (small); bold is best, underlined second best.
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
        f"{table.title}. Tier {table.tier}, protocol {table.protocol}; above ours, below the "
        "paper's. Bold: best of the block, underlined: second best."
    )
    lines = [
        rf"% {' '.join((table.label + ': ' + table.title).split())}",
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{escaped(caption)}}}",
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
