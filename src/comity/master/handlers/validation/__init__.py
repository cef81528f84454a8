"""What a task, a task group and an executor must look like before they may be launched.

The rules, their order and the gist of their messages are those of Mesos's src/master/validation.cpp
and src/common/validation.cpp. Every check raises `faults.Invalid`; its text becomes the message of
a TASK_ERROR. `tasks` and `groups` are the doors: one for LAUNCH, one for LAUNCH_GROUP.
"""
