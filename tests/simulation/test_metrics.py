"""Every figure moves with what really happened, once, also when a transaction was repeated or a process restarted."""

from __future__ import annotations

import pytest
from tests.simulation.estate import AM, ERP, Estate, estate, lost_answer
from tests.simulation.test_simulation import thing

from tieline.kernel.asset_records import PhysicalStatus
from tieline.kernel.settling import ATTEMPTS

FLOW = {"object": "asset", "source": AM, "target": ERP}
COMMANDS = f"sink.{ERP}.command.v1"


def create(hub: Estate, number: int = 0) -> str:
    """A record in asset management that the ERP must get."""
    return hub.systems[AM].create(thing(number).model_copy(update={"physical_status": PhysicalStatus.IN_SERVICE}))


def quiet(hub: Estate, *fates: str) -> None:
    """Only the given fates befall the next writes."""
    hub.trouble.aim = lambda _: None
    hub.trouble.fates = list(fates)


def deliveries(hub: Estate, outcome: str) -> float | None:
    return hub.metrics.value("tieline_deliveries_total", **FLOW, outcome=outcome)


def letters(hub: Estate, consumer: str, cause: str) -> float | None:
    return hub.metrics.value("tieline_dead_letters_total", consumer=consumer, cause=cause)


def calls(hub: Estate, call: str, result: str) -> float | None:
    return hub.metrics.value("tieline_call_duration_seconds_count", target=ERP, call=call, result=result)


def latency_sum_secs(hub: Estate) -> float:
    return hub.metrics.value("tieline_delivery_latency_seconds_sum", **FLOW) or 0.0


def test_a_delivery_counts_from_the_change_to_its_confirmed_effect() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub, 0)
        hub.rest()
        assert deliveries(hub, "confirmed") == 1
        before_secs = latency_sum_secs(hub)
        create(hub, 1)
        hub.time.sleep(500.0)  # nobody read the system meanwhile
        hub.rest()
        assert deliveries(hub, "confirmed") == 2
        assert 500.0 < latency_sum_secs(hub) - before_secs < 600.0
        assert calls(hub, "write", "answered") == 2
        assert hub.metrics.value("tieline_source_items_total", system=AM, stream="assets") == 2
        sent = len(hub.log.all_of(COMMANDS))
        handled = hub.metrics.value("tieline_records_handled_total", consumer=f"sink-{ERP}", topic=COMMANDS)
        assert handled == sent


def test_a_first_load_is_no_delay() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        hub.time.sleep(100_000.0)
        hub.rest()
        assert deliveries(hub, "confirmed") == 1
        assert 0.0 < latency_sum_secs(hub) < 100.0


def test_an_outage_shows_as_a_paused_target_with_what_waits_until_it_is_over() -> None:
    with estate(1) as hub:
        quiet(hub)
        create(hub)
        seen: list[tuple[float | None, ...]] = []
        shown = ("tieline_target_paused", "tieline_target_paused_seconds")

        def fate(kind: str) -> str:
            if kind != "write" or len(seen) == 8:
                return "ok"
            state = [hub.metrics.value(name, target=ERP) for name in shown]
            seen.append((*state, hub.metrics.value("tieline_unsettled_age_seconds", **FLOW)))
            return "out"

        hub.systems[ERP].fate = fate
        hub.rest()
        assert seen[0][:2] == (0.0, 0.0)
        assert all(paused == 1.0 for paused, _, _ in seen[1:])
        pauses = [secs or 0.0 for _, secs, _ in seen]
        ages = [age or 0.0 for _, _, age in seen]
        assert pauses == sorted(set(pauses))
        assert ages == sorted(set(ages))
        assert all(age > paused for age, paused in zip(ages, pauses, strict=True))
        assert [hub.metrics.value(name, target=ERP) for name in shown] == [0.0, 0.0]
        assert hub.metrics.value("tieline_unsettled_age_seconds", **FLOW) == 0.0
        assert calls(hub, "write", "unavailable") == 8


@pytest.mark.parametrize(
    ("fate", "cause", "outcome", "result"),
    [("lost", "in-doubt", "in-doubt", "unknown"), ("busy", "gave-up", "rejected", "retryable")],
)
def test_a_failed_delivery_counts_by_cause_and_its_key_stays_parked_over_a_restart(
    fate: str, cause: str, outcome: str, result: str
) -> None:
    with estate(1) as hub:
        quiet(hub, *[fate] * ATTEMPTS)
        native_id = create(hub)
        hub.rest()
        assert calls(hub, "write", result) == ATTEMPTS
        assert deliveries(hub, outcome) == 1
        assert letters(hub, f"sink-{ERP}", cause) == 1
        hub.systems[AM].edit(native_id, location="L9")
        hub.rest()
        assert letters(hub, f"sink-{ERP}", "waiting") == 1
        for _ in range(2):
            assert hub.metrics.value("tieline_parked_keys", target=ERP, object="asset") == 1
            assert hub.metrics.value("tieline_parked_letters", target=ERP, object="asset") == 2
            del hub.running[f"sink-{ERP}"]
            hub.rest()


def test_a_repeated_transaction_counts_its_records_once() -> None:
    with estate(1) as hub:
        broken: list[str] = []

        def aim(label: str) -> None:
            if label == "accept:before-commit" and not broken:
                broken.append(label)
                raise lost_answer(label)

        quiet(hub)
        hub.trouble.aim = aim
        create(hub)
        hub.rest()
        assert hub.metrics.value("tieline_transactions_repeated_total", consumer="accept") == 1
        topics = ("hub.identified.report.v1",)
        handled = [hub.metrics.value("tieline_records_handled_total", consumer="accept", topic=one) for one in topics]
        assert handled == [len(hub.log.all_of(one)) for one in topics]
        assert hub.metrics.value("tieline_batch_records_sum", consumer="accept") >= 1.0  # type: ignore[operator]  # there


def test_what_cannot_be_read_and_what_is_refused_are_told_apart() -> None:
    with estate(1) as hub:
        quiet(hub)
        producer = hub.log.open_producer({"transactional.id": "somebody"})
        producer.init_transactions(1.0)
        producer.begin_transaction()
        producer.produce("asset.asset.report.v1", value=b"junk", key="am/1", headers=())
        producer.produce(f"src.{AM}.raw.v1", value=b"{}", key="am/1", headers=())
        producer.commit_transaction(1.0)
        hub.rest()
        assert letters(hub, "identify", "unreadable") == 1
        assert letters(hub, f"source-{AM}", "refused") == 1
        assert letters(hub, f"source-{AM}", "unreadable") == 0


def test_a_source_that_does_not_answer_grows_old() -> None:
    with estate(1) as hub:
        quiet(hub)
        hub.rest()
        fresh = hub.metrics.value("tieline_source_poll_age_seconds", system=AM)
        hub.systems[AM].fate = lambda _: "out"
        hub.time.sleep(300.0)
        hub.step(f"source-{AM}")
        aged = hub.metrics.value("tieline_source_poll_age_seconds", system=AM)
        assert fresh is not None
        assert aged is not None
        assert fresh < 10.0
        assert aged >= 300.0
        assert hub.metrics.value("tieline_source_failures_total", system=AM) == 1
        assert hub.metrics.value("tieline_turn_age_seconds", consumer=f"source-{AM}") == pytest.approx(0.0, abs=1.0)
        idle = hub.metrics.value("tieline_turn_age_seconds", consumer="accept")
        assert idle is not None
        assert idle > 300.0


def test_tables_show_their_rows() -> None:
    with estate(1) as hub:
        quiet(hub)
        for number in range(3):
            create(hub, number)
        hub.rest()
        rows = hub.metrics.value("tieline_table_rows", consumer="accept", table="asset.asset.state.v1")
        assert rows == 3


def test_no_key_id_or_text_of_a_record_is_ever_a_label() -> None:
    with estate(1) as hub:
        quiet(hub, *["lost"] * ATTEMPTS)
        native_id = create(hub, 4711)
        hub.rest()
        hub.systems[AM].edit(native_id, location="L9")
        hub.rest()
        shown = hub.metrics.expose().decode()
        keys = {(message.key() or b"").decode() for message in hub.log.all_of(COMMANDS)}
        assert keys
        for text in (*keys, native_id, "S4711", "L9", "ACME"):
            assert f'"{text}"' not in shown
