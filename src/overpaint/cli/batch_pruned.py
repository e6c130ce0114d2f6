"""What a prune of a batch's results has found, for people."""

from __future__ import annotations

from overpaint.batch import Pruned

from .texts import counted, print_line, size_of

_MOST = 20  # files that are named; --json names all


def show_pruned(pruned: Pruned) -> None:
    """Print the files, those that are kept, and a sum."""
    word = "would remove" if pruned.dry_run else "removed"
    for file in pruned.files[:_MOST]:
        print_line(f"{word} {file.path} ({file.kind}, {size_of(file.bytes)})")
    _and_more(len(pruned.files))
    for kept in pruned.kept[:_MOST]:
        print_line(f"kept {kept.path}: {kept.reason}")
    _and_more(len(pruned.kept))
    of = f"{counted(len(pruned.files), 'file')}, {size_of(pruned.bytes)}, of {counted(len(pruned.rows), 'row')} left"
    hint = "; --yes removes them" if pruned.dry_run and (pruned.files or pruned.rows) else ""
    print_line(f"{'to remove' if pruned.dry_run else 'removed'}: {of}{hint}")


def _and_more(count: int) -> None:
    if count > _MOST:
        print_line(f"... and {count - _MOST} more")
