"""Python imports this module at its start when it finds it: the names in $CONFORMANCE_HOSTS then have the address $CONFORMANCE_FRONT, port included.

It stands for a line in /etc/hosts, or a private DNS zone, that points a vendor's name at a TLS front of the proxy.
"""

import os
import socket

HOSTS = os.environ["CONFORMANCE_HOSTS"].split(",")
FRONT_HOST, _, FRONT_PORT = os.environ["CONFORMANCE_FRONT"].partition(":")
resolve = socket.getaddrinfo


def getaddrinfo(host, port, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    if name in HOSTS:
        return resolve(FRONT_HOST, int(FRONT_PORT), *args, **kwargs)
    return resolve(host, port, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
