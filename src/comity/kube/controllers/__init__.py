"""Kubernetes controllers: level-triggered, pure `reconcile(key, view, now) -> actions`.

A controller looks at one object and everything around it as the view has it now, and says what
should happen next; it keeps nothing between two looks. The shell watches, queues keys, carries the
actions out over the API, and puts every answer into the view at once, so that the next look sees
its own writes (which is why no controller counts expectations).
"""
