"""Progress on the terminal: a spinner and a bar on a tty, one plain line per finished stage elsewhere (logs, CI)."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR = 24


class Stage:
    """One stage in progress. `advance` may be called from any thread."""

    def __init__(self, name: str, steps: int) -> None:
        self.name, self.steps, self.done, self.detail = name, steps, 0, ""
        self.started = time.perf_counter()
        self.seconds = 0.0

    def advance(self, done: int | None = None, detail: str = "") -> None:
        """One more step is finished; or `done` steps are."""
        self.done = self.done + 1 if done is None else done
        self.detail = detail

    def note(self, detail: str) -> None:
        """Text behind the stage's name, kept when it has finished."""
        self.detail = detail


class Display:
    """Writes stages as they run. Colours only on a tty and without NO_COLOR (https://no-color.org)."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.stream = stream
        self.tty = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.tty and "NO_COLOR" not in os.environ

    def paint(self, code: str, text: str) -> str:
        """`text` in an ANSI colour, or as it is."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def line(self, text: str = "") -> None:
        """One line, at once."""
        print(text, file=self.stream, flush=True)

    def title(self, text: str) -> None:
        """A heading with an empty line above it."""
        self.line()
        self.line(self.paint("1;36", text))

    def ok(self, text: str) -> None:
        """Something was checked and holds."""
        self.line(f"  {self.paint('32', '✓')} {text}")

    def refused(self, text: str) -> None:
        """Something was refused, as it should be."""
        self.line(f"  {self.paint('31', '✗')} {text}")

    @contextmanager
    def stage(self, name: str, steps: int = 0) -> Iterator[Stage]:
        """Shows `name` while the block runs, then the time that it took."""
        stage = Stage(name, steps)
        ended = threading.Event()
        painter = threading.Thread(target=self._animate, args=(stage, ended), daemon=True)
        if self.tty:
            painter.start()
        try:
            yield stage
        except BaseException:
            self._finish(stage, ended, painter, self.paint("31", "✗"))
            raise
        self._finish(stage, ended, painter, self.paint("32", "✓"))

    def _animate(self, stage: Stage, ended: threading.Event) -> None:
        for frame in itertools.cycle(_FRAMES):
            bar = ""
            if stage.steps:
                full = round(_BAR * min(stage.done / stage.steps, 1.0))
                bar = f" {'━' * full}{self.paint('2', '─' * (_BAR - full))} {stage.done}/{stage.steps}"
            seconds = time.perf_counter() - stage.started
            text = f"  {frame} {stage.name:<34}{bar} {seconds:5.1f} s  {stage.detail}"
            width = shutil.get_terminal_size().columns + (8 if self.colour and bar else 0)
            self.stream.write("\r\x1b[2K" + text[:width])
            self.stream.flush()
            if ended.wait(0.08):
                return

    def _finish(self, stage: Stage, ended: threading.Event, painter: threading.Thread, mark: str) -> None:
        stage.seconds = time.perf_counter() - stage.started
        ended.set()
        if self.tty:
            painter.join()
            self.stream.write("\r\x1b[2K")
        self.line(f"  {mark} {stage.name:<34} {stage.seconds:7.2f} s  {stage.detail}".rstrip())

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table with right-aligned columns; the first is left-aligned."""
        widths = [max(len(r[c]) for r in [head, *rows]) for c in range(len(head))]

        def cells(row: Sequence[str]) -> str:
            parts = [row[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(row[1:], widths[1:], strict=True))]
            return "  " + "  ".join(parts)

        self.line(self.paint("1", cells(head)))
        self.line("  " + "  ".join("─" * w for w in widths))
        for row in rows:
            self.line(cells(row))
