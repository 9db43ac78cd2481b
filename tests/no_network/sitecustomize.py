"""Refuse every connection that leaves this machine.

Python imports a module of this name when it starts. The test suite puts this folder
first on PYTHONPATH, so that the processes it starts (notebook kernels, the command
line) have no network either.
"""

import errno
import importlib.machinery
import importlib.util
import ipaddress
import os
import socket
import sys


def _is_here(host) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(host):
    if not _is_here(host):
        raise OSError(errno.ENETUNREACH, f"the tests have no network: {host} is barred")


def _guarded(method):
    def connect(self, address):
        if self.family != getattr(socket, "AF_UNIX", None):
            _check(address[0])
        return method(self, address)

    return connect


def activate():
    """Bar the network for this process; a second call does nothing more."""
    if getattr(socket, "no_network", False):
        return
    socket.no_network = True
    socket.socket.connect = _guarded(socket.socket.connect)
    socket.socket.connect_ex = _guarded(socket.socket.connect_ex)
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        _check(host)
        return look_up(host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def _import_the_one_behind():
    """This module stands before another sitecustomize, which is to run as well."""
    here = os.path.dirname(os.path.realpath(__file__))
    others = [path for path in sys.path if os.path.realpath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec and spec.loader:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


activate()
if __name__ == "sitecustomize":
    _import_the_one_behind()
