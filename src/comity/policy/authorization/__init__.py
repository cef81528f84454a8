"""Who may do what: access control lists as Mesos's local authorizer reads them.

`acls.parse` reads the file of `--acls`; `deciding.allows` is the one question. Both are pure.
Specification: include/mesos/authorizer/acls.proto and docs/authorization.md.
"""
