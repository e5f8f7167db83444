"""Any name is the name of one file, on every system, and of no other."""

from hypothesis import given
from hypothesis import strategies as st

from featviz.common.safe_names import MAX_NAME, distinct_names, safe_name

HOSTILE = ["..", ".", "/", "a/b", "x" * 1000, "x" * 999, "<script>", "a\0b", "ü" * 300, "", "con:1", "%2E%2E"]
DEVICES = ["con", "CON", "aux.1", "nul.conv1", "com1", "lpt9.x", "norm.", "norm", "a ", "\udcff", "\udcfe"]


def check(names):
    parts = [safe_name(name) for name in names]
    assert len(set(parts)) == len(names)
    for part in parts:
        assert part
        assert len(part.encode("ascii")) <= MAX_NAME
        assert not set(part) & set('/\\<>:"|?* ')
        assert not part.startswith(".")
        assert not part.endswith(".")
        assert part.partition(".")[0].lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


def test_hostile_names_and_those_of_devices():
    check([*HOSTILE, *DEVICES])


@given(st.lists(st.text(st.characters(codec=None)), unique=True, max_size=5))
def test_all_names(names):
    check(names)


# Names of few letters in either case, so that many differ in case alone.
CASES = st.lists(st.text("aAbBéÉİß/.%2F", max_size=4), unique=True, max_size=8)


@given(CASES, st.randoms())
def test_distinct_names_differ_in_more_than_case(names, random):
    distinct = distinct_names(names)
    files = [safe_name(distinct[name]).casefold() for name in names]
    assert list(distinct) == names and len(set(files)) == len(names)
    check(list(distinct.values()))
    # A name is the same in any order, and keeps its form where no other differs in case alone.
    assert distinct_names(random.sample(names, len(names))) == distinct
    alone = [name for name in names if sum(safe_name(name).lower() == safe_name(other).lower() for other in names) == 1]
    assert all(distinct[name] == name for name in alone)
    assert all(distinct[name] == name for name in names if name == name.lower())
