"""The front door: routes, tokens and the service proxy, laid out as DC/OS's Admin Router."""
