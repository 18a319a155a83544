"""A bad network between the processes and PostgreSQL: cut statements, silence. Afterwards everybody is at work.

Covers E32, "more to F1" (a worker made deaf by failed acknowledgements).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from secrets import token_urlsafe

import pytest

from cdp.embedded import postgres
from tests.faults.installation import Installation, eventually, installation
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.long
SECRETS = {name: token_urlsafe(48) for name in ("SECRET_KEY", "LINK_KEY", "SUPPRESSION_KEY")}


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[Installation, Proxy]]:
    with installation(**SECRETS) as product:
        product.var_dir.mkdir()
        postgres.ensure_running(product.var_dir)
        proxy = Proxy(product.server.socket)
        product.variables["DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{proxy.port}/{postgres.DATABASE}"
        product.start()
        product.wait_ready()
        yield product, proxy
        proxy.close()


def test_cut_statements_make_nobody_deaf(network: tuple[Installation, Proxy]) -> None:
    product, proxy = network
    before, sent = product.stored(), 0
    proxy.cut = 0.01
    end = time.monotonic() + 45
    while time.monotonic() < end:
        sent += len(product.collect(20))
        time.sleep(0.2)
    proxy.cut = 0.0
    assert proxy.cuts > 20
    product.wait_ready()
    eventually(lambda: product.stored() == before + sent, "all that was accepted is processed once")
    for kind in ("segments", "imports", "sends", "upkeep"):
        first = int(product.query(f"SELECT count(*) FROM pgmq.q_{kind} WHERE vt <= clock_timestamp()")[0][0])
        assert first <= 5, f"nobody reads the wake-ups of {kind}"


def test_silence_of_the_network_is_survived(network: tuple[Installation, Proxy]) -> None:
    product, proxy = network
    before = product.stored()
    proxy.hole.set()
    time.sleep(20)
    proxy.hole.clear()
    product.wait_ready()
    product.collect(10)
    eventually(lambda: product.stored() == before + 10, "events are processed again")
