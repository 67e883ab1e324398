"""Two systems edit one field, each without having seen the other's edit: the policy decides, and nobody's is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.processors.bench import AM, ERP, NOW, Hub, asset, asset_events, conflicts, landscape, named
from tests.unit.processors.offices import Office, come_to_rest, estate, play
from tests.unit.processors.test_accept import wrote
from tests.unit.processors.test_period_gate import period

from tieline.kernel.asset_records import AssetEvent, AssetFields
from tieline.kernel.conflict_records import ConflictFound, ConflictOutcome
from tieline.kernel.landscape import Landscape, OwnershipRule
from tieline.kernel.memory import Conflict, PeriodHold, Stage
from tieline.processors.vectors import KEPT_STANDING, Words, reach

FIELDS = ("location", "description", "condition", "cost_centre")
"""Of the policies OWNER_WINS, LWW_BY_VERSION and MANUAL, and one that a proposer may always change (`open`)."""
LONG_AGO = dt.date(2020, 1, 1)


def ruled(*rules: OwnershipRule) -> Landscape:
    estate_ = landscape()
    return Landscape.model_validate({**estate_.model_dump(), "ownership": [rule.model_dump() for rule in rules]})


def shared(field: str, policy: Any) -> OwnershipRule:
    """Asset management's own field, which the ERP may propose."""
    return OwnershipRule(
        fields=(field,), valid_from=LONG_AGO, owner="asset-management", proposers=("erp",), policy=policy
    )


ALL_POLICIES = ruled(shared("description", "LWW_BY_VERSION"), shared("condition", "MANUAL"))


def linked(**start: Any) -> tuple[Hub, dict[str, Office]]:
    """Two systems that agree on everything, and have been told so."""
    hub, offices = estate(erp_has_it=True, landscape=ALL_POLICIES)
    offices[AM].edit(location="L0", description="D0", condition="C0", **start)
    come_to_rest(hub, offices)
    offices[ERP].edit(cost_centre="CC0")
    come_to_rest(hub, offices)
    for field in FIELDS:
        assert {getattr(office.fields, field) for office in offices.values()} == {f"{_prefix(field)}0"}
    assert conflicts(hub) == set()
    return hub, offices


def _prefix(field: str) -> str:
    return {"location": "L", "description": "D", "condition": "C", "cost_centre": "CC"}[field]


def found(hub: Hub) -> list[ConflictFound]:
    return [v.body for v in named(hub.written, "ConflictFound") if isinstance(v.body, ConflictFound)]


def both_edit(hub: Hub, offices: dict[str, Office], field: str, first: str, second: str, *, by: str = AM) -> None:
    """Both edit the field before the hub has carried a word; what ``by`` says is heard first."""
    other = ERP if by == AM else AM
    offices[by].edit(**{field: first})
    offices[other].edit(**{field: second})
    offices[by].poll()
    offices[other].poll()
    hub.rest()


# ---- each policy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [AM, ERP])
def test_of_concurrent_moves_the_owners_stands_whichever_is_heard_first(first: str) -> None:
    hub, offices = linked()
    said = {ERP: "CC-ERP", AM: "CC-AM"}
    both_edit(hub, offices, "cost_centre", said[first], said[AM if first == ERP else ERP], by=first)
    assert hub.the_asset().fields.cost_centre == "CC-ERP"
    [event] = found(hub)
    assert (event.standing.value, event.lost.value, event.lost.system) == ("CC-ERP", "CC-AM", AM)
    assert event.outcome is (ConflictOutcome.REPLACED if first == AM else ConflictOutcome.REFUSED)
    come_to_rest(hub, offices)
    for office in offices.values():
        assert office.fields is not None
        assert office.fields.cost_centre == "CC-ERP", f"{office.name}: nobody's write undoes it"


def test_a_move_that_follows_what_it_has_seen_is_no_conflict() -> None:
    hub, offices = linked()
    for name, centre in ((ERP, "CC1"), (AM, "CC2"), (AM, "CC3"), (ERP, "CC4"), (AM, "CC0")):
        offices[name].edit(cost_centre=centre)
        come_to_rest(hub, offices)
        assert hub.the_asset().fields.cost_centre == centre
    assert found(hub) == []


def test_a_record_that_still_holds_the_old_value_does_not_undo_the_new_one() -> None:
    hub, offices = linked()
    offices[AM].edit(cost_centre="CC1")
    offices[AM].poll()
    hub.rest()
    offices[ERP].edit(asset_class="MACHINE")  # its record is told as a whole, and later than the move was recorded
    offices[ERP].poll()
    hub.rest()
    assert hub.the_asset().fields.cost_centre == "CC1"
    assert found(hub) == []
    come_to_rest(hub, offices)
    in_the_books = offices[ERP].fields
    assert in_the_books is not None
    assert in_the_books.cost_centre == "CC1"


def test_of_concurrent_words_the_later_wins_and_the_other_is_told() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "description", "of the works", "of the books")  # the ERP's clock is an hour ahead
    assert hub.the_asset().fields.description == "of the books"
    [event] = found(hub)
    assert (event.policy, event.concurrent, event.outcome) == ("LWW_BY_VERSION", True, ConflictOutcome.REPLACED)
    assert (event.lost.system, event.lost.value) == (AM, "of the works")


def test_a_word_that_follows_wins_although_its_clock_is_behind() -> None:
    hub, offices = linked()
    offices[AM].version += 1000  # its clock is most of a day ahead of the ERP's
    offices[AM].edit(description="of the works")
    come_to_rest(hub, offices)
    offices[ERP].edit(description="of the books")
    come_to_rest(hub, offices)
    assert hub.the_asset().fields.description == "of the books"
    assert found(hub) == []


def test_an_older_word_that_lost_is_not_said_anew_with_every_report_of_its_record() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "description", "of the books", "of the works", by=ERP)
    assert hub.the_asset().fields.description == "of the books"
    for year in range(60, 70):  # the record changes elsewhere, and its time with it
        offices[AM].edit(tag=f"T{year}")
        offices[AM].version += 100
        offices[AM].poll()
        hub.rest()
    assert hub.the_asset().fields.description == "of the books"
    assert len(found(hub)) == 1


def test_concurrent_words_on_a_manual_field_wait_for_a_person() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "condition", "good", "bad")
    assert hub.the_asset().fields.condition == "good"
    [event] = found(hub)
    assert (event.outcome, event.concurrent) == (ConflictOutcome.WAITING, True)
    come_to_rest(hub, offices)  # our write has put "good" over "bad" by now, which decides nothing
    assert conflicts(hub) == {("condition", ERP)}
    offices[AM].edit(condition="fair")
    come_to_rest(hub, offices)
    assert hub.the_asset().fields.condition == "good", "it has not seen what waits"
    assert conflicts(hub) == {("condition", ERP), ("condition", AM)}


def test_a_person_settles_a_manual_conflict_in_the_system_that_saw_both() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "condition", "good", "bad")
    come_to_rest(hub, offices)
    offices[ERP].edit(condition="bad")
    come_to_rest(hub, offices)
    assert hub.the_asset().fields.condition == "bad"
    assert conflicts(hub) == set()
    offices[AM].edit(condition="good")
    come_to_rest(hub, offices)
    assert (hub.the_asset().fields.condition, conflicts(hub)) == ("good", set())


def test_a_manual_conflict_ends_when_the_author_says_what_the_other_does() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "condition", "good", "bad")
    offices[AM].edit(condition="bad")
    offices[AM].poll()
    hub.rest()
    assert (hub.the_asset().fields.condition, conflicts(hub)) == ("bad", set())


def test_what_waits_is_not_decided_by_being_read_again_after_a_later_write() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "condition", "good", "bad")
    state = hub.the_asset()
    # The ERP has confirmed every version since, but nobody has read anything but "bad" there: it may be read-only.
    later = Words(state, "condition", ERP, state.version + 9)
    waiting = later.repeats("bad")
    assert later.follows()
    assert waiting is not None
    assert (waiting.system, waiting.stands) == (ERP, False)
    assert later.repeats("worse") is None


def test_an_edit_of_a_manual_field_that_saw_the_last_one_is_taken() -> None:
    hub, offices = linked()
    for name, said in ((AM, "good"), (ERP, "bad"), (AM, "fair")):
        offices[name].edit(condition=said)
        come_to_rest(hub, offices)
        assert hub.the_asset().fields.condition == said
    assert found(hub) == []


def test_conflict_and_event_carry_both_versions_and_both_vectors() -> None:
    hub, offices = linked()
    before = hub.the_asset().version
    both_edit(hub, offices, "condition", "good", "bad")
    [event], [row] = found(hub), hub.rows(Conflict).values()
    now = hub.the_asset().version
    assert now == before + 1
    # Asset management's word is the hub's new version; the ERP had seen the one before it, and was heard at the new.
    assert event.standing.seen[AM] == now
    assert event.lost.seen[ERP] == now
    assert event.standing.seen[ERP] < now
    assert event.lost.seen[AM] < now
    assert (row.owned_seen, row.foreign_seen) == (event.standing.seen, event.lost.seen)
    assert (row.owned_version, row.foreign_version) == (now, event.lost.source_version)
    assert event.lost.source_version == str(offices[ERP].version)
    assert (row.concurrent, row.policy) == (True, "MANUAL")


@pytest.mark.parametrize(
    ("ledger", "version", "minutes", "seen"),
    [
        ({"source_version": "7", "recorded_at": NOW}, "7", 0, 4),  # the very record that our write left
        ({"source_version": "7", "recorded_at": NOW}, "8", 1, 4),
        ({"source_version": "7", "recorded_at": NOW}, "6", 0, 0),  # of the same moment, and another version
        ({"source_version": "7", "recorded_at": NOW}, "6", -1, 0),
        ({"stage": Stage.INTENT, "source_version": "7", "recorded_at": NOW}, "8", 1, 4),  # what was confirmed before
        ({}, "8", 1, 4),  # a row of an earlier release: when the sink wrote it
        ({"stage": Stage.INTENT}, "8", 1, 0),  # when it was intended says nothing
    ],
)
def test_a_system_has_seen_what_was_confirmed_there_before_its_report(
    ledger: dict[str, Any], version: str, minutes: int, seen: int
) -> None:
    report = asset(AM, "9", tag="T1")
    at = {"source_version": version, "recorded_at": NOW + dt.timedelta(minutes=minutes)}
    report = report.model_copy(update={"origin": report.origin.model_copy(update=at)})
    assert reach(report, wrote(asset(AM, "9"), "a1", **{"version": 5, "applied_version": 4, **ledger}), None) == seen
    assert reach(report, None, None) == 0


def test_a_foreign_edit_that_had_seen_the_owners_word_is_a_conflict_but_not_concurrent() -> None:
    hub, offices = linked()
    offices[ERP].edit(location="L9")
    come_to_rest(hub, offices)
    [event] = found(hub)
    assert (event.concurrent, event.outcome, event.lost.value) == (False, ConflictOutcome.REFUSED, "L9")


def test_a_record_that_lags_is_seen_to_differ_but_is_no_edit() -> None:
    hub, offices = linked()
    offices[AM].edit(location="L1")
    offices[AM].poll()
    hub.rest()
    offices[ERP].edit(asset_class="MACHINE")
    offices[ERP].poll()
    hub.rest()
    assert conflicts(hub) == {("location", ERP)}
    assert found(hub) == []
    come_to_rest(hub, offices)
    assert conflicts(hub) == set()


def test_what_the_hub_keeps_for_it_does_not_grow() -> None:
    hub, offices = linked()
    for number in range(KEPT_STANDING + 6):
        offices[AM if number % 2 else ERP].edit(cost_centre=f"CC{number}", description=f"D{number}")
        come_to_rest(hub, offices)
    assert max(len(words) for words in hub.the_asset().words.values()) <= KEPT_STANDING + 2


# ---- any sequence of edits -------------------------------------------------------------------------------------


class History:
    """What each edit had seen, kept by somebody who sees everything: each edit writes a value of its own."""

    def __init__(self, offices: dict[str, Office]) -> None:
        self._offices = offices
        self._held: dict[tuple[str, str], set[str]] = {}
        self._had_seen: dict[tuple[str, str], frozenset[str]] = {}
        self._typed: set[tuple[str, str, str]] = set()
        self.told: set[tuple[str, str, str]] = set()

    def look(self) -> None:
        """Note what each record holds now."""
        for name, office in self._offices.items():
            for field in FIELDS:
                value = getattr(office.fields, field)
                if value is not None:
                    self._held.setdefault((name, field), set()).add(value)

    def edit(self, name: str, field: str, value: str) -> None:
        """A person there types the value over what the record holds."""
        self.look()
        self._had_seen[field, value] = frozenset(self._held.get((name, field), ()))
        self._typed.add((name, field, value))

    def hear(self) -> None:
        """Note which edits have been read: what is overwritten before that, its system alone can tell."""
        for name, office in self._offices.items():
            for read in office.outbox:
                said = {(name, field, getattr(read.fields, field)) for field in FIELDS}
                self.told |= said & self._typed

    def follows(self, field: str, later: str, earlier: str) -> bool:
        """Whether ``later`` was typed by somebody who had seen ``earlier``, or what followed it."""
        seen, todo = set[str](), [later]
        while todo:
            for value in self._had_seen.get((field, todo.pop()), frozenset()) - seen:
                seen.add(value)
                todo.append(value)
        return earlier in seen


def scripts() -> st.SearchStrategy[list[Any]]:
    edits = st.tuples(st.sampled_from(["edit", "cross"]), st.sampled_from([AM, ERP]), st.sampled_from(FIELDS))
    verbs = [f"{verb} {name}" for verb in ("fetch", "tell", "again", "deliver") for name in (AM, ERP)]
    rest = st.sampled_from([*verbs, "identify", "accept", "route", "ledger", "hub"])
    return st.lists(st.one_of(edits, rest, rest), max_size=40)


def play_noting(hub: Hub, offices: dict[str, Office], script: Sequence[Any], history: History) -> None:
    for number, move in enumerate(script):
        match move:
            case (verb, name, field):
                value = f"{_prefix(field)}{number + 1}"
                if verb == "cross":
                    offices[name].deliver()
                history.edit(name, field, value)
                play(hub, offices, [("edit", name, (field, value))])
            case _:
                play(hub, offices, [move])
        history.look()
        history.hear()


# Two of our writes are confirmed between a reading of the record and its report.
@example(
    [
        ("edit", AM, "location"),
        "fetch unio24",
        ("edit", AM, "location"),
        ("edit", ERP, "description"),
        "fetch unio24",
        "fetch tryton",
        "tell unio24",
        "tell unio24",
        "hub",
        ("cross", ERP, "location"),
    ]
)
@settings(max_examples=200, deadline=None)
@given(script=scripts())
def test_two_linked_systems_settle_and_no_edit_is_lost_in_silence(script: Sequence[Any]) -> None:
    hub, offices = linked()
    history = History(offices)
    play_noting(hub, offices, script, history)
    for office in offices.values():
        office.fetch()
    history.hear()
    come_to_rest(hub, offices)
    assert hub.dead == []
    state, visible = hub.the_asset(), conflicts(hub)
    named_lost = {(event.field, event.lost.value) for event in found(hub)}
    for name, office in offices.items():
        for field in FIELDS:
            agrees = getattr(office.fields, field) == getattr(state.fields, field)
            assert agrees or (field, name) in visible, f"{name} differs in {field}, and nobody sees it"
    for name, field, value in sorted(history.told):
        known = {getattr(state.fields, field), *(lost for of, lost in named_lost if of == field)}
        is_known = any(value == one or history.follows(field, one, value) for one in known if one is not None)
        assert is_known, f"{field} {value} of {name} was lost in silence: neither it nor what followed it is {known}"


def test_events_say_which_fields_go_back_to_their_own_system() -> None:
    hub, offices = linked()
    both_edit(hub, offices, "cost_centre", "CC-AM", "CC-ERP")
    name, event = asset_events(hub.written)[-1]
    assert isinstance(event, AssetEvent)
    assert (name, event.accepted.returned_fields) == ("AssetCostCentreChanged", ("cost_centre",))
    assert event.fields == AssetFields(**{**event.fields.model_dump(), "cost_centre": "CC-ERP"})


# ---- what is under way, and what had been seen ------------------------------------------------------------------


def test_nothing_is_returned_over_an_edit_where_nothing_was_sent() -> None:
    hub, offices = estate(erp_has_it=False, landscape=ALL_POLICIES)
    come_to_rest(hub, offices)  # asset management's record was made in the ERP: its link is told to nobody
    offices[AM].edit(cost_centre="CC1")
    offices[AM].poll()
    hub.rest()
    offices[AM].edit(cost_centre="CC2")
    assert not offices[AM].deliver(), "nothing is on its way that the first word must be put back over"
    come_to_rest(hub, offices)
    assert hub.the_asset().fields.cost_centre == "CC2"


def test_what_waited_for_a_period_is_judged_by_what_had_been_seen_when_it_was_said() -> None:
    hub, offices = linked()
    hub.say(period(3, "closed"))
    offices[ERP].edit(company="ACME", cost_centre="CC1")
    hub.rest()
    offices[ERP].poll()
    hub.rest()
    offices[AM].deliver()
    hub.rest()
    offices[AM].edit(cost_centre="CC2", disposal_date=dt.date(2026, 3, 17))  # of a record that shows CC1
    offices[AM].poll()
    hub.rest()
    assert len(hub.rows(PeriodHold)) == 1
    offices[ERP].edit(asset_class="MACHINE")  # our write of it is the last one that the ledger knows
    offices[ERP].poll()
    hub.rest()
    offices[AM].deliver()
    hub.rest()
    hub.say(period(3, "open", recorded_at=NOW + dt.timedelta(days=1)))
    assert hub.rows(PeriodHold) == {}
    assert hub.the_asset().fields.cost_centre == "CC2"
    assert found(hub) == []


def test_the_owners_word_is_put_back_over_a_proposal_that_was_on_its_way() -> None:
    hub, offices = estate(erp_has_it=False, landscape=ALL_POLICIES)
    offices[AM].poll()
    hub.rest()
    offices[ERP].deliver()  # made there, and not read yet
    hub.rest()
    offices[AM].edit(tag="T1")  # its write carries the class too, which nobody but asset management has said
    offices[AM].poll()
    hub.rest()
    for number in (1, 2):  # the second word is put back because the first one is
        offices[ERP].edit(asset_class=f"MACHINE{number}")
        offices[ERP].poll()
        hub.rest()
    come_to_rest(hub, offices)
    for office in offices.values():
        assert office.fields is not None
        assert office.fields.asset_class == "MACHINE2", office.name
