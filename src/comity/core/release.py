"""When and by whom this release was made; tools for Mesos show it. Set it with the version."""

DATE = "2026-11-23 12:00:00"
TIME_S = 1795435200.0
"""The same, as seconds."""
MAKER = "comity"


def shown() -> dict[str, object]:
    """Return it under Mesos's names (src/version/version.hpp)."""
    return {"build_date": DATE, "build_time": TIME_S, "build_user": MAKER}
