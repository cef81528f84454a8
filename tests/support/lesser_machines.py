"""Words before a command line by which its machine has, or allows, less than this one."""

import os
import shutil
from pathlib import Path

_HIDDEN_FROM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def as_nobody(directory):
    """Run as another user than root, who may still read wherever our Python is."""
    os.chown(directory, 65534, 65534)
    for parent in directory.parents[:2]:  # pytest's own, which are root's alone
        parent.chmod(0o755)
    ids = ("--reuid=65534", "--regid=65534", "--clear-groups")
    caps = [f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps")]
    return ["setpriv", *ids, *caps, "--bounding-set=-all,+dac_read_search"]


def without_capabilities(*names):
    """Run as root who may not do everything, as in many a container."""
    return ["setpriv", f"--bounding-set={','.join(f'-{name}' for name in names)}"]


def without_programs(directory, *names):
    """Run with a PATH of all programs here but these; a name that ends with * is a beginning."""
    made = directory / "programs"
    made.mkdir()
    for place in map(Path, _HIDDEN_FROM):
        for program in place.iterdir() if place.is_dir() else ():
            if not _is_hidden(program.name, names) and not (made / program.name).is_symlink():
                (made / program.name).symlink_to(program)
    assert not any(shutil.which(name, path=str(made)) for name in names)
    return ["env", f"PATH={made}"]


def _is_hidden(name, hidden):
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in hidden)


def mounted(script):
    """Run where other things are mounted than on the machine."""
    return ["unshare", "--mount", "sh", "-ec", f'{script}\nexec "$@"', "sh"]
