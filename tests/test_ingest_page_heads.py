"""What the top of a page says the page is."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.page_heads import WEIGHT, head_of, mixed

STATEMENT = """Harbour Tools plc
Consolidated Statement of Cash Flows
Year ended 31 March
(thousands)
Operating profit 4,120 3,980
Interest paid and other financial charges of the group in both years were 312 290
"""


def test_a_statement_names_itself():
    """The short lines on top say what the rows below them are."""
    assert head_of(STATEMENT) == (
        "Harbour Tools plc Consolidated Statement of Cash Flows Year ended 31 March (thousands) "
        "Operating profit 4,120 3,980"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        "The committee met in March and decided that the quay wall was to be rebuilt.\nIt did.",
        # A narrow column: short lines that run on into the next one.
        "of the wall, which\nwas built in 1912 of\nstone from the quarry",
        "The wall was built\nin 1912 of stone from\nthe quarry beyond the hill",
        "本报告所述期间公司营业收入较上年同期增长百分之十二主要原因是海外市场需求回升",
    ],
)
def test_prose_has_no_head(text):
    """Running text says nothing about its page, in lines however short."""
    assert head_of(text) == ""


def test_a_heading_over_a_narrow_column_stays():
    """Only the line that runs on is taken for running text."""
    assert head_of("Harbour walls\nThe wall was built\nin 1912 of stone") == "Harbour walls"


def test_a_chinese_heading_is_short_in_characters():
    """Without spaces, characters are what is counted."""
    assert head_of(
        "合并现金流量表\n2023年度\n本公司及其子公司在报告期内的现金流量净额如下列各项所示并经审计确认无误"
    ) == ("合并现金流量表 2023年度")


def test_a_head_ends_after_some_lines():
    """A page of nothing but short lines, as a table of contents, is not all head."""
    assert len(head_of("Chapter and verse\n" * 100)) <= 250


def test_mixing_keeps_unit_length_and_leaves_the_others():
    """Vectors stay comparable; a chunk without a head keeps its own."""
    vectors = np.array([[1, 0], [0, 1]], dtype=np.float32)
    heads = np.array([[0, 1], [1, 0]], dtype=np.float32)

    result = mixed(vectors, heads, np.array([True, False]))

    assert result.dtype == np.float32
    assert np.linalg.norm(result[0]) == pytest.approx(1.0)
    assert result[0][1] / result[0][0] == pytest.approx(WEIGHT)
    assert result[1].tolist() == [0, 1]
