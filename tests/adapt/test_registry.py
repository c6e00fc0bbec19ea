"""AdaptersMap: who wins, who inherits, what is said when nobody can."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from psycopg3.adapt import AdaptersMap, Dumper, Format, Loader, PyFormat
from psycopg3.adapt.typeinfo import TypeInfo, TypesRegistry
from psycopg3.errors import ProgrammingError

AUTO, TEXT, BINARY = PyFormat.AUTO, PyFormat.TEXT, PyFormat.BINARY


def dumper(name: str, format: Format = Format.TEXT, oid: int = 0) -> type[Dumper]:
    def dump(self: Dumper, obj: object) -> bytes:
        return name.encode()

    return type(name, (Dumper,), {"dump": dump, "format": format, "oid": oid})


def loader(name: str, format: Format = Format.TEXT) -> type[Loader]:
    return type(name, (Loader,), {"load": lambda self, data: name, "format": format})


class Base:
    pass


class Derived(Base):
    pass


def test_the_last_one_registered_wins_auto() -> None:
    adapters = AdaptersMap()
    text, binary = dumper("text"), dumper("binary", Format.BINARY)
    adapters.register_dumper(Base, text)
    assert adapters.get_dumper(Base, AUTO) is text
    adapters.register_dumper(Base, binary)
    assert adapters.get_dumper(Base, AUTO) is binary
    assert adapters.get_dumper(Base, TEXT) is text
    assert adapters.get_dumper(Base, BINARY) is binary
    adapters.register_dumper(Base, text)
    assert adapters.get_dumper(Base, AUTO) is text


def test_the_nearest_base_class_dumps() -> None:
    adapters = AdaptersMap()
    for_object, for_base = dumper("for_object"), dumper("for_base")
    adapters.register_dumper(object, for_object)
    assert adapters.get_dumper(Derived, AUTO) is for_object
    adapters.register_dumper(Base, for_base)
    assert adapters.get_dumper(Derived, AUTO) is for_base
    assert adapters.get_dumper(int, AUTO) is for_object


def test_a_dotted_name_stands_for_a_class_not_imported() -> None:
    adapters = AdaptersMap()
    by_name = dumper("by_name")
    adapters.register_dumper("random.Random", by_name)
    assert adapters.get_dumper(random.Random, AUTO) is by_name
    assert adapters.get_dumper(random.SystemRandom, AUTO) is by_name


@pytest.mark.parametrize("names_first", [True, False])
def test_a_class_and_its_name_are_one_entry(names_first: bool) -> None:
    adapters = AdaptersMap()
    first, last = dumper("first"), dumper("last")
    keys: list[Any] = [random.Random, "random.Random"]
    if names_first:
        keys.reverse()
    adapters.register_dumper(keys[0], first)
    assert adapters.get_dumper(random.Random, AUTO) is first
    adapters.register_dumper(keys[1], last)
    assert adapters.get_dumper(random.Random, AUTO) is last
    assert adapters.get_dumper(random.Random, TEXT) is last


def test_dumpers_by_oid() -> None:
    adapters = AdaptersMap()
    text, binary, only = (
        dumper("text", oid=23),
        dumper("binary", Format.BINARY, oid=23),
        dumper("only", oid=25),
    )
    adapters.register_dumper(int, text)
    adapters.register_dumper(int, binary)
    adapters.register_dumper(None, only)
    assert adapters.get_dumper_by_oid(23, Format.TEXT) is text
    assert adapters.get_dumper_by_oid(23, Format.BINARY) is binary
    assert adapters.get_dumper_by_oid(25, Format.TEXT) is only
    with pytest.raises(ProgrammingError):
        adapters.get_dumper(type(None), AUTO)


def test_loaders_by_oid_and_name() -> None:
    adapters = AdaptersMap()
    adapters.types.add(TypeInfo("point", 600, 1017))
    text, binary = loader("text"), loader("binary", Format.BINARY)
    adapters.register_loader(600, text)
    adapters.register_loader("point", binary)
    assert adapters.get_loader(600, Format.TEXT) is text
    assert adapters.get_loader(600, Format.BINARY) is binary
    assert adapters.get_loader(601, Format.TEXT) is None
    adapters.register_loader("point[]", text)
    assert adapters.get_loader(1017, Format.TEXT) is text
    with pytest.raises(KeyError, match="nothing"):
        adapters.register_loader("nothing", text)


def test_what_is_registered_is_checked() -> None:
    adapters: Any = AdaptersMap()
    with pytest.raises(TypeError, match="got 3 to register a dumper for"):
        adapters.register_dumper(3, dumper("any"))
    with pytest.raises(TypeError, match="got 1.5 to register a loader for"):
        adapters.register_loader(1.5, loader("any"))


def test_no_dumper_says_what_to_do() -> None:
    adapters = AdaptersMap()
    with pytest.raises(ProgrammingError, match=r"type complex .* %s \(format AUTO\): convert"):
        adapters.get_dumper(complex, AUTO)
    adapters.register_dumper(Base, dumper("text"))
    with pytest.raises(ProgrammingError, match=r"Derived .* %b \(format BINARY\): use %t, or"):
        adapters.get_dumper(Derived, BINARY)


def test_no_dumper_by_oid_says_which_type() -> None:
    adapters = AdaptersMap()
    adapters.types.add(TypeInfo("point", 600, 1017))
    for oid, name in ((600, "point"), (1017, r"point\[\]"), (99, "unknown to the driver")):
        with pytest.raises(ProgrammingError, match=rf"type {name} \(oid {oid}\) in binary format"):
            adapters.get_dumper_by_oid(oid, Format.BINARY)


def test_a_map_is_a_context() -> None:
    adapters = AdaptersMap()
    assert adapters.adapters is adapters
    assert adapters.connection is None


def test_types_may_be_others_than_the_templates() -> None:
    template, types = AdaptersMap(), TypesRegistry()
    template.types.add(TypeInfo("point", 600, 1017))
    types.add(TypeInfo("line", 628, 629))
    adapters = AdaptersMap(template, types)
    assert adapters.types.get("point") is None
    adapters.types.add(TypeInfo("box", 603, 1020))
    assert types.get("box") is None


def test_the_array_hook_is_inherited() -> None:
    template = AdaptersMap()
    called: list[tuple[Any, Any]] = []
    template.array_hook = lambda info, context: called.append((info, context))
    adapters = AdaptersMap(template)
    with_arrays, without = TypeInfo("point", 600, 1017), TypeInfo("none", 601, 0)
    with_arrays.register(adapters)
    without.register(adapters)
    assert called == [(with_arrays, adapters)]


OIDS = st.integers(1, 4)
CLASSES = st.sampled_from([Base, Derived, int, "random.Random", None])
FORMATS = st.sampled_from(Format)


class Family(RuleBasedStateMachine):
    """Maps copied from each other, against plain dicts that are really copied."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[tuple[AdaptersMap, dict[Any, Any]]] = [(AdaptersMap(), {})]
        self.count = 0

    @rule(parent=st.integers(0))
    def copy(self, parent: int) -> None:
        template, model = self.maps[parent % len(self.maps)]
        self.maps.append((AdaptersMap(template), dict(model)))

    @rule(which=st.integers(0), cls=CLASSES, format=FORMATS, oid=st.integers(0, 4))
    def register_dumper(self, which: int, cls: Any, format: Format, oid: int) -> None:
        adapters, model = self.maps[which % len(self.maps)]
        self.count += 1
        new = dumper(f"D{self.count}", format, oid)
        adapters.register_dumper(cls, new)
        if cls is not None:
            model[cls, AUTO] = model[cls, PyFormat.from_pq(format)] = new
        if oid:
            model[oid, "dumper", format] = new

    @rule(which=st.integers(0), oid=OIDS, format=FORMATS)
    def register_loader(self, which: int, oid: int, format: Format) -> None:
        adapters, model = self.maps[which % len(self.maps)]
        self.count += 1
        model[oid, "loader", format] = new = loader(f"L{self.count}", format)
        adapters.register_loader(oid, new)

    @rule(which=st.integers(0), oid=OIDS)
    def add_type(self, which: int, oid: int) -> None:
        adapters, model = self.maps[which % len(self.maps)]
        model[oid, "type"] = info = TypeInfo(f"t{oid}", oid, 0)
        adapters.types.add(info)

    def teardown(self) -> None:
        for adapters, model in self.maps:
            for format in PyFormat:
                for key, cls in ((Base, Base), (int, int), ("random.Random", random.Random)):
                    expected = model.get((key, format))
                    if expected is None:
                        with pytest.raises(ProgrammingError):
                            adapters.get_dumper(cls, format)
                    else:
                        assert adapters.get_dumper(cls, format) is expected
            for oid in range(1, 5):
                assert adapters.types.get(oid) is model.get((oid, "type"))
                for pq_format in Format:
                    expected = model.get((oid, "loader", pq_format))
                    assert adapters.get_loader(oid, pq_format) is expected
                    expected = model.get((oid, "dumper", pq_format))
                    if expected is not None:
                        assert adapters.get_dumper_by_oid(oid, pq_format) is expected


TestFamily = Family.TestCase
TestFamily.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
