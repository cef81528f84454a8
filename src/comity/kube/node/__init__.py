"""The node executor: a Mesos executor that runs the containers of pods."""
