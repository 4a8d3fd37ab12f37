"""`python -m dlexp optimizer=adam init=he regularizer=dropout`."""

import sys

from dlexp.cli import main

sys.exit(main())
