"""Networks of containers: the machine's own bridge, and any CNI configuration by name.

`Networks` is the door: `attach` puts a network namespace on the networks that a container asks for,
`detach` takes it off, `keep` forgets what is of no container any more. `bridge` is the machine's
own network (`netlink` speaks to the kernel, `leases` is the file that all agents of a machine
share, `firewall` the rules made from it), `cni` runs plugins.
"""
