"""DC/OS's own command line (PyPI `dcoscli` 0.6.1, 2018): `dcos_client.py HOME ARGUMENT...`.

Its settings are kept under HOME. It was written for Python 3.5: names that `collections` has lost
since are put back before it is imported.
"""

import collections
import collections.abc
import os
import sys

for name in ("Callable", "Iterable", "Mapping", "MutableMapping", "Sequence", "Set"):
    setattr(collections, name, getattr(collections.abc, name))

os.environ["DCOS_DIR"] = sys.argv.pop(1)

from dcoscli.main import main  # noqa: E402 - needs the names above

sys.exit(main())
