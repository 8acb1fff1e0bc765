"""Which addresses may be called, and how an operator's list is read."""

import ipaddress
import socket

import pytest

from motet.egress.addresses import forbidden, is_own, read_networks
from motet.egress.rules import Rules
from motet.errors import SettingInvalid
from motet.settings import EgressSettings


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450::200e"])
def test_public_addresses_may_be_called(text: str) -> None:
    assert forbidden(ipaddress.ip_address(text)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.251",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "5f00::1",
    ],
)
def test_other_addresses_may_not(text: str) -> None:
    assert forbidden(ipaddress.ip_address(text)) != ""


def test_this_machines_addresses_are_known() -> None:
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert not is_own(ipaddress.ip_address("192.0.2.77"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
    assert is_own(ipaddress.ip_address("0.0.0.0"))


async def test_a_public_address_of_this_machine_is_refused() -> None:
    import httpx

    rules = Rules(EgressSettings(), is_own=lambda address: str(address) == "93.184.216.34")
    with pytest.raises(Exception, match="this machine's own"):
        await rules.check(httpx.URL("http://93.184.216.34/"))


def test_lists_of_hosts() -> None:
    found = read_networks(
        "Localhost:8080, 10.1.0.0/16 [fd00::1]:443 fd00::2 *.example.com 1.2.3.4:5", setting="x"
    )
    assert [(str(where), port) for where, port in found] == [
        ("localhost", 8080),
        ("10.1.0.0/16", None),
        ("fd00::1/128", 443),
        ("fd00::2/128", None),
        ("*.example.com", None),
        ("1.2.3.4/32", 5),
    ]
    for wrong in ("10.0.0.0/99", "host:0", "host:99999", ":80"):
        with pytest.raises(SettingInvalid):
            read_networks(wrong, setting="x")


@pytest.mark.parametrize("ports", ["http", "80,0", "70000"])
def test_ports_are_numbers(ports: str) -> None:
    with pytest.raises(SettingInvalid, match=r"egress\.ports"):
        Rules(EgressSettings(ports=ports))
