"""Which selectors a metric may use."""

from __future__ import annotations

import pytest

from crossfade_analyzer.contract import CounterSource, Fault
from crossfade_analyzer.faults import EvidenceFault
from crossfade_analyzer.sources.selectors import check_source, one_of, quoted

GOOD = ('empty_total{app="x"}', "empty_total", '{__name__="empty_total"}', 'empty_total{app=~"x|y", zone!="a"}')
BAD = {
    "rate": ("rate(empty_total[5m])", Fault.NOT_A_SELECTOR, "function call"),
    "sum": ("sum(empty_total)", Fault.NOT_A_SELECTOR, "aggregation"),
    "a range": ("empty_total[5m]", Fault.NOT_A_SELECTOR, "range selector"),
    "an offset": ("empty_total offset 5m", Fault.NOT_A_SELECTOR, "offset"),
    "an instant": ("empty_total @ 12", Fault.NOT_A_SELECTOR, "@ instant"),
    "arithmetic": ("a + b", Fault.NOT_A_SELECTOR, "BinaryExpr"),
    "no PromQL": ("empty_total{", Fault.NOT_A_SELECTOR, "does not parse"),
    "the arm pinned": ('empty_total{arm="stable"}', Fault.PINNED_LABEL, "'arm'"),
    "the bucket excluded": ('empty_total{abucket!="none"}', Fault.PINNED_LABEL, "'abucket'"),
    "the arm pinned in an alternative": ('empty_total{app="x" or arm="stable"}', Fault.PINNED_LABEL, "'arm'"),
}


@pytest.mark.parametrize("selector", GOOD)
def test_a_plain_selector_is_taken(selector: str) -> None:
    check_source(CounterSource(numerator=selector, denominator="answers_total"))


@pytest.mark.parametrize(("selector", "fault", "words"), BAD.values(), ids=BAD)
def test_anything_else_is_refused(selector: str, fault: Fault, words: str) -> None:
    with pytest.raises(EvidenceFault) as caught:
        check_source(CounterSource(numerator="answers_total", denominator=selector))
    assert caught.value.finding.fault is fault
    assert words in caught.value.finding.message
    assert "denominator" in caught.value.finding.message


def test_labels_of_ones_own_are_the_ones_that_must_stay_free() -> None:
    source = CounterSource(numerator='a{arm="x"}', denominator="b", arm_label="variant", bucket_label="cell")
    check_source(source)
    with pytest.raises(EvidenceFault):
        check_source(source.model_copy(update={"numerator": 'a{variant="x"}'}))


def test_values_are_quoted() -> None:
    assert quoted('a"b\\c\n') == '"a\\"b\\\\c\\n"'
    assert one_of(("a.b", "c|d")) == '"a\\\\.b|c\\\\|d"'
