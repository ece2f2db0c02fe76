"""A terminal for tests: a stream that says that it is one, and what it shows."""

import io


class Terminal(io.StringIO):
    """Knows carriage returns, line feeds, and nothing else."""

    def isatty(self):
        return True

    @property
    def lines(self):
        """What stands on it, without blanks at the ends; the last line is the cursor's."""
        lines, place = [''], 0
        for c in self.getvalue():
            if c == '\r':
                place = 0
            elif c == '\n':
                lines.append('')
                place = 0
            else:
                lines[-1] = lines[-1][:place].ljust(place) + c + lines[-1][place + 1 :]
                place += 1
        return [line.rstrip() for line in lines]
