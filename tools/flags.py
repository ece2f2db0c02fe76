"""Flags whose refusals are one line."""

import argparse
from typing import NoReturn

BooleanFlag = argparse.BooleanOptionalAction


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one line, with exit code 2, and prints no usage."""

    def error(self, message: str) -> NoReturn:
        """Ends the process."""
        self.exit(2, f'error: {message.removeprefix("argument ")}; see --help\n')


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r}: a whole number is needed') from None


def number(text: str) -> float:
    """Any number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r}: a number is needed') from None


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r}: whole numbers are needed, such as 784,1024'
        ) from None


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(',')))
