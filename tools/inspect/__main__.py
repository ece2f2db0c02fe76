"""Shows what is in finished records: an example in the terminal, or the data set as a page.

python -m tools.inspect records/photos
python -m tools.inspect records/photos --id=train/dog/7.jpg
python -m tools.inspect records/photos --html=photos.html
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from pathlib import Path

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Shows what the flags ask for; returns the exit code."""
    parser = Parser('python -m tools.inspect', doc=__doc__)
    parser.add_argument('folder', help='--output of python -m pipelines.main')
    parser.add_argument('--id', help='id of the example to show (default: the first one)')
    parser.add_argument('--html', help='write a page of the data set into this file')
    parser.add_argument(
        '--examples', type=int, default=24, help='how many on the page (default 24)'
    )
    flags = parser.parse_args(arguments)
    from tools.inspect import page, terminal
    from tools.inspect.stored import Records

    def show() -> int:
        """Writes the page, or prints one example."""
        found = Records(flags.folder)
        if flags.html:
            path = Path(flags.html)
            size = page.write(found, path, examples=flags.examples, example_id=flags.id)
            print(f'{path}: {size / 1e3:,.0f} kB')
        else:
            print(terminal.show(found, found.find(flags.id)))
        return 0

    return code_of(show)


if __name__ == '__main__':
    sys.exit(main())
