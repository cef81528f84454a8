"""The algebra of Mesos resources: scalars in milli-units, ranges, sets, roles and reservations."""
