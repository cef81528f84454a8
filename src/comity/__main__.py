"""`python -m comity` is the `comity` command."""

import sys

from comity.cli.comity import main

sys.exit(main())
