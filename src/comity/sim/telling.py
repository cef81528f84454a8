"""How far a long run is, on a line of a terminal that is written over and over."""

import sys
import time

_EVERY_S = 0.5


class Telltale:
    """One line on stderr while something runs; silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY_S
        self._is_shown = False

    def tell(self, text: str) -> None:
        """Show how far it is; most calls come too soon, and do nothing."""
        if sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_S
            self._is_shown = True
            self._write(text)

    def clear(self) -> None:
        """Make room for a line of output."""
        if self._is_shown:
            self._is_shown = False
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()
