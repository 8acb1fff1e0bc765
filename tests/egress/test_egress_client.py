"""What may be called, tried with addresses that want to be what they are not, and a listener that must hear nothing."""

import asyncio
import gzip
import itertools
import zlib
from collections.abc import Awaitable, Callable, Sequence

import httpx
import pytest
from listener import Listener, answer, egress, names, redirect

from motet.errors import EgressRefused, FetchFailed

HOSTILE = {
    "loopback": "http://127.0.0.1:{port}/",
    "loopback, another of its addresses": "http://127.8.9.10:{port}/",
    "unspecified": "http://0.0.0.0:{port}/",
    "short": "http://127.1:{port}/",
    "one zero": "http://0:{port}/",
    "decimal": "http://2130706433:{port}/",
    "hexadecimal": "http://0x7f000001:{port}/",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1:{port}/",
    "octal": "http://0177.0.0.1:{port}/",
    "octal, long": "http://00000177.0000.0000.0001:{port}/",
    "octal, whole": "http://017700000001:{port}/",
    "trailing dot": "http://127.0.0.1.:{port}/",
    "full-width": "http://127。0。0。1:{port}/",
    "full-width digits": "http://１２７.０.０.１:{port}/",
    "circled digits": "http://①②⑦.⓪.⓪.①:{port}/",
    "IPv6 loopback": "http://[::1]:{port}/",
    "IPv6 loopback, long": "http://[0:0:0:0:0:0:0:1]:{port}/",
    "IPv6 unspecified": "http://[::]:{port}/",
    "IPv4-mapped": "http://[::ffff:127.0.0.1]:{port}/",
    "IPv4-mapped, hexadecimal": "http://[::ffff:7f00:1]:{port}/",
    "IPv4-compatible": "http://[::127.0.0.1]:{port}/",
    "NAT64": "http://[64:ff9b::7f00:1]:{port}/",
    "NAT64 of one's own": "http://[64:ff9b:1::7f00:1]:{port}/",
    "6to4": "http://[2002:7f00:1::1]:{port}/",
    "Teredo": "http://[2001:0:7f00:1::1]:{port}/",
    "zone": "http://[fe80::1%25lo]:{port}/",
    "localhost": "http://localhost:{port}/",
    "localhost, upper case": "http://LOCALHOST:{port}/",
    "localhost with a dot": "http://localhost.:{port}/",
    "name of loopback": "http://loop.test:{port}/",
    "name of both, public first": "http://both.test:{port}/",
    "name of both, public last": "http://both-2.test:{port}/",
    "name of IPv6 loopback": "http://loop6.test:{port}/",
    "name of 6to4": "http://six.test:{port}/",
    "rebinding": "http://rebind.test:{port}/",
    "user": "http://good.test@127.0.0.1:{port}/",
    "user and password": "http://good.test:80@127.0.0.1:{port}/",
    "user and name": "http://good.test:80@loop.test:{port}/",
    "user, encoded": "http://good.test%40127.0.0.1:{port}/",
    "backslash": "http://good.test\\@127.0.0.1:{port}/",
    "backslash instead of a slash": "http:\\\\127.0.0.1:{port}\\",
    "fragment before the user": "http://good.test#@127.0.0.1:{port}/",
    "line break": "http://127.0.0.1:{port}/\r\nX-Injected: 1",
    "tab in the host": "http://127.0.0\t.1:{port}/",
    "space": "http://127.0.0.1 :{port}/",
    "zero-width": "http://127.0.0.1\u200b:{port}/",
    "soft hyphen": "http://local\u00adhost:{port}/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/_GET",
    "ftp": "ftp://127.0.0.1:{port}/",
    "data": "data:text/plain,hello",
    "no scheme": "//127.0.0.1:{port}/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata by name": "http://metadata.test/latest/",
    "metadata, IPv6": "http://[fd00:ec2::254]/latest/",
    "private": "http://10.0.0.1:{port}/",
    "shared": "http://100.100.100.200:{port}/",
    "multicast": "http://224.0.0.1:{port}/",
    "broadcast": "http://255.255.255.255:{port}/",
}


def _names() -> Callable[[str, int], Awaitable[Sequence[str]]]:
    turns = itertools.chain(["93.184.216.34"], itertools.repeat("127.0.0.1"))
    return names(
        loop_test="127.0.0.1",
        both_test=["93.184.216.34", "127.0.0.1"],
        both_2_test=["127.0.0.1", "93.184.216.34"],
        loop6_test="::1",
        six_test="2002:7f00:1::1",
        rebind_test=lambda: [next(turns)],
        metadata_test="169.254.169.254",
        good_test="127.0.0.1",
        other_test="127.0.0.1",
    )


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_address_leads_to_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listener() as canary:
        away = egress(canary.port, resolve=_names(), timeout_s=2.0)
        if "rebind" in url:  # the first answer is public: what matters is that nobody asks a second time
            await away.rules.check(httpx.URL(url.format(port=canary.port)))
        with pytest.raises((EgressRefused, FetchFailed)):
            await away.fetch(url.format(port=canary.port))
        assert canary.hits == 0


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_redirect_leads_to_this_machine(url: str) -> None:
    async with Listener() as canary:
        where = url.format(port=canary.port).replace("\r\n", "%0d%0a").encode("utf-8").decode("latin-1")
        async with Listener(redirect(where).replace(b"\t", b"%09")) as good:
            allow = f"good.test:{good.port}"
            away = egress(canary.port, allow=allow, resolve=_names(), timeout_s=2.0)
            if "rebind" in url:
                await away.rules.check(httpx.URL(url.format(port=canary.port)))
            with pytest.raises((EgressRefused, FetchFailed)):
                await away.fetch(f"http://good.test:{good.port}/")
            assert (good.hits, canary.hits) == (1, 0)


async def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    """A name that changes its mind after the check is not asked a second time."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["::1"]

    async with Listener() as good:
        away = egress(good.port, allow=f"127.0.0.1:{good.port}", resolve=resolve)
        assert (await away.fetch(f"http://twice.test:{good.port}/")).status == 200
        assert asked == ["twice.test"]
        with pytest.raises(EgressRefused):
            await away.fetch(f"http://twice.test:{good.port}/")
        assert good.hits == 1


async def test_what_an_operator_allows_is_called_with_its_own_name() -> None:
    async with Listener() as good:
        away = egress(80, allow=f"good.test:{good.port}", resolve=_names())
        got = await away.fetch(
            f"http://good.test:{good.port}/a?b=c", headers={"X-One": "1", "Host": "evil.test"}
        )
        assert (got.status, got.text) == (200, "ok")
        method, path, headers, _ = good.seen[0]
        assert (method, path, headers["x-one"]) == ("GET", "/a?b=c", "1")
        assert headers["host"] == f"good.test:{good.port}"


@pytest.mark.parametrize("allow", ["127.0.0.0/8", "127.0.0.1", "good.test", "*.test"])
async def test_hosts_and_networks_can_be_allowed(allow: str) -> None:
    async with Listener() as good:
        away = egress(80, allow=allow, resolve=_names())
        assert (await away.fetch(f"http://good.test:{good.port}/")).status == 200


async def test_motets_own_ports_are_refused_whatever_is_allowed() -> None:
    async with Listener() as own:
        away = egress(own.port, allow="127.0.0.0/8, ::1, localhost", resolve=_names())
        away.rules.own_ports.add(own.port)
        for host in ("127.0.0.1", "localhost", "good.test", "[::1]"):
            with pytest.raises(EgressRefused, match="Motet itself"):
                await away.fetch(f"http://{host}:{own.port}/")
        assert own.hits == 0


async def test_only_listed_hosts_are_called_where_there_is_a_list() -> None:
    away = egress(
        80, hosts="example.com", resolve=names(www_example_com="93.184.216.34", evil_test="93.184.216.34")
    )
    assert (await away.rules.check(httpx.URL("http://www.example.com/"))).addresses == ["93.184.216.34"]
    for host in ("evil.test", "notexample.com", "example.com.evil.test", "93.184.216.34"):
        with pytest.raises(EgressRefused, match="MOTET_EGRESS_HOSTS"):
            await away.fetch(f"http://{host}/")


async def test_other_ports_are_refused() -> None:
    away = egress(443, resolve=names(public_test="93.184.216.34"))
    with pytest.raises(EgressRefused, match="Port 6379"):
        await away.fetch("http://public.test:6379/")


async def test_a_secret_does_not_follow_a_redirect_to_another_host() -> None:
    async with Listener() as other:
        where = f"http://other.test:{other.port}/"
        async with Listener(lambda path, *_: redirect("/next") if path == "/" else redirect(where)) as good:
            away = egress(80, allow="127.0.0.1", resolve=_names())
            secret = {"Authorization": "Bearer s3cret", "Cookie": "a=b", "X-Key": "k", "Accept": "text/plain"}
            assert (await away.fetch(f"http://good.test:{good.port}/", headers=secret)).url == where
            assert good.seen[1][2]["authorization"] == "Bearer s3cret"
            assert not {"authorization", "cookie", "x-key"} & other.seen[0][2].keys()
            assert other.seen[0][2]["accept"] == "text/plain"


async def test_what_is_sent_is_not_sent_on() -> None:
    async with (
        Listener() as other,
        Listener(redirect(f"http://other.test:{other.port}/", "307 Temporary Redirect")) as good,
    ):
        away = egress(80, allow="127.0.0.1", resolve=_names())
        url = f"http://good.test:{good.port}/"
        with pytest.raises(FetchFailed, match=r"redirects to .*, which is not followed"):
            await away.fetch(url, method="POST", content=b"private")
        with pytest.raises(EgressRefused, match="another host"):
            await away.fetch(url, method="POST", content=b"private", max_redirects=2)
        assert (other.hits, good.seen[0][3]) == (0, b"private")


async def test_redirects_have_an_end() -> None:
    async with Listener(redirect("/again")) as good:
        away = egress(80, allow="127.0.0.1")
        with pytest.raises(FetchFailed, match="more than 5 times"):
            await away.fetch(f"http://127.0.0.1:{good.port}/")
        assert good.hits == 6


BIG = b"0123456789abcdef" * 20_000


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answer(BIG), "more than 100,000 bytes"),
        (answer(gzip.compress(BIG), content_encoding="gzip"), "more than 100,000 bytes"),
        (answer(zlib.compress(BIG), content_encoding="deflate"), "more than 100,000 bytes"),
        (answer(b"x", content_encoding="br"), "packed as 'br'"),
        (answer(b"x", content_encoding="gzip, gzip"), "packed as 'gzip, gzip'"),
        (answer(b"no gzip", content_encoding="gzip"), "cannot be unpacked"),
        (answer(b"x", content_type="image/png"), "is 'image/png'"),
        (answer(b"short", content_length="500"), "cannot be reached"),
        (b"not http at all\r\n\r\n", "cannot be reached"),
    ],
)
async def test_answers_that_are_not_taken(reply: bytes, said: str) -> None:
    async with Listener(reply) as good:
        away = egress(80, allow="127.0.0.1", max_bytes=100_000)
        with pytest.raises(FetchFailed, match=said):
            await away.fetch(f"http://127.0.0.1:{good.port}/?secret=1", accept=("text/",))


async def test_an_answer_that_unpacks_a_thousandfold_is_not_taken() -> None:
    async with Listener(answer(gzip.compress(bytes(4_000_000)), content_encoding="gzip")) as good:
        with pytest.raises(FetchFailed, match="100 times its size"):
            await egress(80, allow="127.0.0.1").fetch(f"http://127.0.0.1:{good.port}/")


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]])
async def test_packed_answers_are_unpacked(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(BIG)
    name = "gzip" if packed.startswith(b"\x1f\x8b") else "deflate"
    async with Listener(answer(packed, content_encoding=name)) as good:
        got = await egress(80, allow="127.0.0.1").fetch(f"http://127.0.0.1:{good.port}/")
        assert got.body == BIG


async def test_the_whole_call_has_a_deadline() -> None:
    released = asyncio.Event()

    async def never(*_: object) -> bytes:
        await released.wait()
        return b""

    async with Listener(never) as good:
        with pytest.raises(FetchFailed, match=r"did not answer within 0.05 s"):
            await egress(80, allow="127.0.0.1").fetch(f"http://127.0.0.1:{good.port}/", timeout_s=0.05)
        released.set()


async def test_the_environments_proxy_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listener() as proxy, Listener() as good:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await egress(80, allow="127.0.0.1").fetch(f"http://127.0.0.1:{good.port}/")
        assert (proxy.hits, good.hits) == (0, 1)


async def test_a_failure_shows_no_query() -> None:
    with pytest.raises(EgressRefused) as refused:
        await egress(80).fetch("http://127.0.0.1/?key=s3cret")
    assert "s3cret" not in refused.value.message


async def test_text_is_read_by_its_charset() -> None:
    async with Listener(answer("报告".encode("gb18030"), content_type="text/plain; charset=GB18030")) as good:
        got = await egress(80, allow="127.0.0.1").fetch(f"http://127.0.0.1:{good.port}/")
        assert (got.text, got.content_type) == ("报告", "text/plain")


async def test_another_librarys_client_keeps_to_the_rules() -> None:
    async with Listener() as canary, Listener() as good:
        away = egress(canary.port, allow=f"good.test:{good.port}", resolve=_names())
        async with httpx.AsyncClient(transport=away.transport(httpx), trust_env=False) as client:
            assert (await client.get(f"http://good.test:{good.port}/")).text == "ok"
            for url in (f"http://loop.test:{canary.port}/", f"http://good.test:{canary.port}/"):
                with pytest.raises(EgressRefused):
                    await client.get(url)
        assert canary.hits == 0
