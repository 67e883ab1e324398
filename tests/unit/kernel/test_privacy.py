"""Only an opaque id of a person enters the hub."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from tests.unit.processors.bench import AM, asset, cost

from tieline.kernel.asset_records import AssetReport
from tieline.kernel.digests import digest_fields
from tieline.kernel.errors import Rejected, Stop
from tieline.kernel.privacy import IDS_ONLY, Custodians

KEY = "k" * 32


def test_t40_a_keyed_id_is_the_hmac_of_what_the_system_says() -> None:
    expected = "p-" + hmac.new(KEY.encode(), b"Ann Example", hashlib.sha256).hexdigest()[:32]
    assert Custodians(KEY).opaque("  Ann   Example ") == expected
    assert Custodians("x" * 32).opaque("Ann Example") != expected  # without the key it cannot be made again


@pytest.mark.parametrize("custodians", [Custodians(KEY), IDS_ONLY])
def test_t40_an_id_of_the_hub_comes_back_as_it_is(custodians: Custodians) -> None:
    opaque = Custodians(KEY).opaque("Ann Example")
    assert custodians.opaque(opaque) == opaque


@pytest.mark.parametrize("said", ["E-1001", "17", "a" * 40, "p-1"])
def test_t40_without_a_key_an_id_passes(said: str) -> None:
    assert IDS_ONLY.opaque(said) == said


@pytest.mark.parametrize("said", ["Ann Example", "ann@example.org", "a" * 41, "Ann\u00a0Example", "Ann\tExample", " "])
def test_t40_without_a_key_a_name_is_refused_and_not_repeated(said: str) -> None:
    with pytest.raises(Rejected) as refused:
        IDS_ONLY.opaque(said)
    assert (refused.value.field, refused.value.remedy is not None) == ("fields.custodian", True)
    assert said.strip() == "" or said not in str(refused.value)


def test_t40_a_short_key_keeps_no_secret() -> None:
    with pytest.raises(Stop, match="fewer than 32"):
        Custodians("k" * 31)
    assert KEY not in repr(Custodians(KEY))


def test_t40_other_fields_and_other_reports_stay() -> None:
    report = asset(AM, "9", custodian="Ann Example", location="L1")
    concealed = Custodians(KEY).conceal(report)
    assert isinstance(concealed, AssetReport)
    assert concealed.fields.model_copy(update={"custodian": "Ann Example"}) == report.fields
    assert Custodians(KEY).conceal(cost()) == cost()


def test_t40_what_a_sink_hashed_with_a_name_is_recognised_with_the_id() -> None:
    report = asset(AM, "9", custodian="Ann Example", location="L1")
    concealed = Custodians(KEY).conceal(report)
    assert digest_fields(report.fields) == digest_fields(concealed.fields)
    assert digest_fields(report.fields) != digest_fields(asset(AM, "9", location="L2").fields)
