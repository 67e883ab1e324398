"""A port in use is said with its part and how to find the owner."""

from __future__ import annotations

import socket

import pytest

from tieline.stack.errors import StackError
from tieline.stack.ports import answers, free_ports, is_free, require_free


def test_a_taken_port_names_part_port_and_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers(port)
        with pytest.raises(StackError, match=rf"port {port} on 127\.0\.0\.1, which registry needs, .*ss -ltnp.*{port}"):
            require_free({"kafka": free_ports(1)[0], "registry": port})


def test_a_server_on_every_address_takes_the_loopback_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_port_is_free_again_when_its_server_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert is_free(port)
    assert not answers(port)


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20
