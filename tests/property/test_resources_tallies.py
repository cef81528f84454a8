"""A tally is the sum of what is in it, whatever came and went."""

from hypothesis import given
from hypothesis import strategies as st

from comity.resources import text
from comity.resources.amounts import NOTHING
from comity.resources.tallies import Tally

BUNDLES = [
    text.parse(each)
    for each in (
        "cpus:1;mem:32",
        "cpus(ads):0.5;disk:10",
        "cpus:0.1;ports:[31000-31001]",
        "mem:64;ports:[31000-31000]",
        "mem:64;ports:[31000-31000,31005-31009]",
    )
]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(BUNDLES))))
def test_a_tally_equals_the_sum_of_what_is_left(steps):
    tally, held = Tally(), []
    for comes, bundle in steps:
        if comes:
            tally.add(bundle)
            held.append(bundle)
        elif bundle in held:
            tally.remove(bundle)
            held.remove(bundle)
        total = NOTHING
        for one in held:
            total = total + one
        assert tally.total == total
