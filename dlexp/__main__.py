"""`python -m dlexp optimizer=adam init=he regularizer=dropout`."""

import sys

from dlexp.cli.main import main

if __name__ == "__main__":  # worker processes import this file under another name
    sys.exit(main())
