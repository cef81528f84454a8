"""What a role may be called (Mesos src/common/roles.cpp)."""


def fault_of(role: str) -> str | None:
    """Return why `role` is no valid role, or None when it is one."""
    if role == "*":
        return None
    if not role:
        return "a role must not be empty"
    if role.startswith("/") or role.endswith("/") or "//" in role:
        return f"role '{role}' must not start or end with a slash, nor have two in a row"
    for part in role.split("/"):
        if part in (".", "..", "*"):
            return f"role '{role}' must not contain '{part}' as a component"
        if part.startswith("-"):
            return f"role '{role}' must not have a component that starts with a dash"
    if any(character.isspace() or character == "\x7f" for character in role):
        return f"role '{role}' must not contain white space"
    return None
