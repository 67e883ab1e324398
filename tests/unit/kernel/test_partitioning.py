"""The partitioner agrees with Kafka's own."""

import pytest

from tieline.kernel.partitioning import murmur2, partition_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # from Apache Kafka's UtilsTest.testMurmur2, as signed 32-bit numbers
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_murmur2_gives_kafkas_own_values(text: str, expected: int) -> None:
    assert murmur2(text.encode()) == expected % 2**32


def test_a_key_stays_within_the_partitions() -> None:
    assert {partition_of(f"asset-{n}", 12) for n in range(500)} == set(range(12))
