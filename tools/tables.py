"""Markdown tables."""

from collections.abc import Collection, Iterable, Sequence


def line(cells: Iterable[str]) -> str:
    """One row of a table."""
    return f'| {" | ".join(cells)} |'


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]] = (),
    *,
    right: Collection[str] = (),
    padded: bool = False,
) -> str:
    """A whole table.

    Args:
      head: names of the columns.
      rows: a cell for each column.
      right: names of the columns whose cells stand at the right edge, as numbers do.
      padded: whether every column has one width, for people who read the text as it is.

    Returns:
      Lines without a line break behind the last one.
    """
    rules = ['---:' if name in right else '---' for name in head]
    columns = zip(head, rules, *rows, strict=True)
    widths = [max(map(len, column)) if padded else 0 for column in columns]

    def padded_line(cells: Iterable[str], fill: str = ' ') -> str:
        """A row, or the rules below the head."""
        return line(
            cell.rjust(width, fill) if name in right else cell.ljust(width, fill)
            for name, cell, width in zip(head, cells, widths, strict=True)
        )

    return '\n'.join([padded_line(head), padded_line(rules, '-'), *map(padded_line, rows)])
